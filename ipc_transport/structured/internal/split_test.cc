#include "ipc_transport/structured/internal/split.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/buffered_pipe.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/internal/joiner.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

// Keeps what is sent; nothing comes.
class KeepingPipe final : public BufferedPipe {
 public:
  struct Sent {
    std::vector<std::byte> bytes;
    size_t descriptors;
  };

  KeepingPipe(size_t max_message_bytes, size_t room)
      : BufferedPipe(max_message_bytes, /*max_descriptors=*/16), room_(room) {}

  const std::vector<Sent>& sent() const { return sent_; }

 private:
  absl::Status WaitForRoom(Deadline) override { return absl::DeadlineExceededError("full"); }
  absl::Status WaitForMessage(Deadline) override { return absl::DeadlineExceededError("empty"); }
  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t,
                                   absl::Span<const FdView> descriptors) override {
    if (sent_.size() == room_) return false;
    Sent sent = {.bytes = {}, .descriptors = descriptors.size()};
    for (const Blob& part : parts) sent.bytes.insert(sent.bytes.end(), part.begin(), part.end());
    sent_.push_back(std::move(sent));
    return true;
  }
  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte>, absl::Span<std::byte>,
                                                       std::vector<Fd>*) override {
    return std::nullopt;
  }
  absl::Status SendFinish() override { return absl::OkStatus(); }
  void Shut() override {}

  const size_t room_;
  std::vector<Sent> sent_;
};

constexpr size_t kPlenty = 1'000'000;

Blob AsBlob(const std::string& text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

// What a peer's joiner makes of the records.
std::string JoinAgain(const KeepingPipe& pipe, size_t descriptors) {
  Joiner joiner(kPlenty);
  for (const KeepingPipe::Sent& sent : pipe.sent()) {
    const absl::StatusOr<Record> record = ParseRecord(sent.bytes, sent.descriptors);
    EXPECT_THAT(record, IsOk());
    if (!record.ok()) return "";
    const auto& fragment = std::get<FragmentRecord>(*record);
    EXPECT_EQ(fragment.id, 5u);
    EXPECT_EQ(fragment.descriptors, fragment.is_last() ? descriptors : 0);
    EXPECT_THAT(joiner.Add(fragment), IsOkAndHolds(fragment.is_last()));
    EXPECT_EQ(fragment.is_last(), &sent == &pipe.sent().back());
  }
  const size_t total = joiner.total();
  HeapBytes bytes = joiner.Take();
  return std::string(reinterpret_cast<const char*>(bytes.data()), total);
}

auto AtOnce(Pipe& pipe) {
  return [&pipe](absl::Span<const Blob> record, absl::Span<const FdView> descriptors) {
    return pipe.SendParts(record, descriptors, Deadline::Passed());
  };
}

TEST(SplitTest, RandomPartsComeTogetherAgain) {
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    const size_t max_message_bytes = kMinPipeMessageBytes + random() % 1000;
    std::vector<std::string> parts(1 + random() % 12);
    std::string whole;
    // Longer than one record: else there is nothing to split.
    while (whole.size() <= max_message_bytes) {
      whole.clear();
      for (std::string& part : parts) {
        part.resize(random() % 4 == 0 ? 0 : random() % (2 * max_message_bytes));
        for (char& c : part) c = static_cast<char>(random());
        whole += part;
      }
    }
    std::vector<Blob> blobs;
    for (const std::string& part : parts) blobs.push_back(AsBlob(part));
    const std::vector<FdView> descriptors(random() % 17, FdView(0));
    KeepingPipe pipe(max_message_bytes, kPlenty);
    ASSERT_OK(SendSplit(pipe, blobs, 5, descriptors, AtOnce(pipe)));
    ASSERT_EQ(JoinAgain(pipe, descriptors.size()), whole) << "round " << round;
  }
}

TEST(SplitTest, FillsEachRecordButTheLast) {
  constexpr size_t kRoom = kMinPipeMessageBytes - sizeof(FragmentHeader);
  for (const size_t size : {kMinPipeMessageBytes + 1, 3 * kRoom - 1, 3 * kRoom, 3 * kRoom + 1}) {
    const std::string whole(size, 'x');
    const Blob part = AsBlob(whole);
    KeepingPipe pipe(kMinPipeMessageBytes, kPlenty);
    ASSERT_OK(SendSplit(pipe, absl::MakeConstSpan(&part, 1), 5, {}, AtOnce(pipe)));
    EXPECT_EQ(pipe.sent().size(), (size + kRoom - 1) / kRoom);
    EXPECT_EQ(JoinAgain(pipe, 0), whole);
  }
}

TEST(SplitTest, AFullPipeIsReportedAfterTheFirstRecords) {
  const std::string whole(10 * kMinPipeMessageBytes, 'x');
  const Blob part = AsBlob(whole);
  KeepingPipe pipe(kMinPipeMessageBytes, 3);
  EXPECT_THAT(SendSplit(pipe, absl::MakeConstSpan(&part, 1), 5, {}, AtOnce(pipe)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(pipe.sent().size(), 3u);
}

TEST(SplitTest, TooManyDescriptorsAreRefusedBeforeTheFirstRecord) {
  const std::string whole(10 * kMinPipeMessageBytes, 'x');
  const Blob part = AsBlob(whole);
  const std::vector<FdView> descriptors(17, FdView(0));
  KeepingPipe pipe(kMinPipeMessageBytes, kPlenty);
  EXPECT_THAT(SendSplit(pipe, absl::MakeConstSpan(&part, 1), 5, descriptors, AtOnce(pipe)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("17 descriptors; the pipe carries 16")));
  EXPECT_TRUE(pipe.sent().empty());
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
