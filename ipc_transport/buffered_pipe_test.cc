#include "ipc_transport/buffered_pipe.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;

constexpr size_t kLimit = 8;

Blob BlobOf(absl::string_view text) { return Blob(reinterpret_cast<const std::byte*>(text.data()), text.size()); }

std::string TextOf(Blob blob) { return std::string(reinterpret_cast<const char*>(blob.data()), blob.size()); }

// The smallest kind: what is sent comes back, and then `end`.
class EchoPipe final : public BufferedPipe {
 public:
  EchoPipe() : BufferedPipe(kLimit, /*max_descriptors=*/0) {}

  std::deque<std::string> messages;
  absl::Status end;
  absl::Status finish_answer;
  size_t room = 100;
  int receives = 0;
  int shuts = 0;
  int waits = 0;

 private:
  absl::Status WaitForRoom(Deadline) override { return absl::OkStatus(); }
  absl::Status WaitForMessage(Deadline) override {
    ++waits;
    return absl::OkStatus();
  }
  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t bytes, absl::Span<const FdView>) override {
    if (messages.size() == room) return false;
    std::string message;
    for (const Blob& part : parts) message += TextOf(part);
    EXPECT_EQ(message.size(), bytes);
    messages.push_back(message);
    return true;
  }

  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<Fd>*) override {
    ++receives;
    EXPECT_GE(buffer.size() + overflow.size(), kLimit);
    if (messages.empty() && !end.ok()) return end;
    if (messages.empty()) return std::nullopt;
    const std::string message = messages.front();
    messages.pop_front();
    const Blob bytes = BlobOf(message);
    const size_t direct = std::min(buffer.size(), bytes.size());
    std::copy_n(bytes.begin(), direct, buffer.begin());
    std::copy_n(bytes.begin() + direct, bytes.size() - direct, overflow.begin());
    return bytes.size();
  }

  absl::Status SendFinish() override { return finish_answer; }
  void Shut() override { ++shuts; }
};

class BufferedPipeTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Receive(size_t buffer_bytes) {
    std::vector<std::byte> buffer(buffer_bytes);
    const absl::StatusOr<std::optional<size_t>> bytes = pipe_.TryReceive(absl::MakeSpan(buffer), nullptr);
    if (!bytes.ok()) return bytes.status();
    return bytes->has_value() ? TextOf(absl::MakeConstSpan(buffer).subspan(0, **bytes)) : "nothing";
  }

  std::vector<std::string> ReceiveBatch(size_t buffer_bytes) {
    std::vector<std::byte> buffer(buffer_bytes);
    std::vector<ReceivedMessage> messages(10);
    const absl::StatusOr<size_t> received =
        pipe_.TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr);
    if (!received.ok()) return {received.status().ToString()};
    std::vector<std::string> texts;
    for (size_t i = 0; i < *received; ++i) texts.push_back(TextOf(messages[i].bytes));
    return texts;
  }

  EchoPipe pipe_;
};

TEST_F(BufferedPipeTest, KeepsWhatABufferHadNoRoomForWithoutAskingAgain) {
  pipe_.messages = {"12345678", "next"};
  for (const size_t bytes : {0, 1, 7}) EXPECT_THAT(Receive(bytes), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(pipe_.receives, 1);
  EXPECT_OK(pipe_.WaitToReceive(Deadline::Passed()));
  EXPECT_EQ(pipe_.waits, 0) << "for what is there";
  EXPECT_THAT(Receive(8), IsOkAndHolds("12345678"));
  EXPECT_OK(pipe_.WaitToReceive(Deadline::Passed()));
  EXPECT_EQ(pipe_.waits, 1);
  EXPECT_THAT(Receive(100), IsOkAndHolds("next"));
  EXPECT_THAT(Receive(100), IsOkAndHolds("nothing"));
}

TEST_F(BufferedPipeTest, AnErrorOfReceivingIsFinal) {
  pipe_.end = absl::DataLossError("broken");
  pipe_.messages = {"a"};
  EXPECT_THAT(Receive(8), IsOkAndHolds("a"));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Receive(8), StatusIs(absl::StatusCode::kDataLoss, "broken"));
  EXPECT_EQ(pipe_.receives, 2);
  EXPECT_THAT(pipe_.TryPeek(nullptr), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ReceiveBatch(100), ElementsAre("DATA_LOSS: broken"));
  EXPECT_OK(pipe_.WaitToReceive(Deadline::Passed()));
  EXPECT_EQ(pipe_.waits, 0);
}

TEST_F(BufferedPipeTest, AnErrorBehindABatchComesWithTheNextCall) {
  pipe_.end = absl::DataLossError("broken");
  pipe_.messages = {"a", "b"};
  EXPECT_THAT(ReceiveBatch(100), ElementsAre("a", "b"));
  EXPECT_THAT(ReceiveBatch(100), ElementsAre("DATA_LOSS: broken"));
  EXPECT_EQ(pipe_.receives, 3);
}

TEST_F(BufferedPipeTest, ABatchTakesWhatFitsHoweverSmallTheBuffer) {
  pipe_.messages = {"abc", "de", "12345678", "f"};
  EXPECT_THAT(ReceiveBatch(5), ElementsAre("abc", "de"));
  EXPECT_THAT(ReceiveBatch(9), ElementsAre("12345678", "f"));
  EXPECT_THAT(ReceiveBatch(9), ElementsAre());
}

TEST_F(BufferedPipeTest, ARoomOutlivesACommitThatFindsNoWay) {
  pipe_.room = 0;
  ASSERT_OK_AND_ASSIGN(const auto room, pipe_.TryReserve(3));
  ASSERT_TRUE(room.has_value());
  std::fill(room->begin(), room->end(), std::byte{'x'});
  EXPECT_THAT(pipe_.TryCommit(2), IsOkAndHolds(false));
  pipe_.room = 1;
  EXPECT_THAT(pipe_.TryCommit(2), IsOkAndHolds(true));
  EXPECT_THAT(pipe_.messages, ElementsAre("xx"));
}

TEST_F(BufferedPipeTest, AFinishThatFailedMayBeTriedAgain) {
  pipe_.finish_answer = absl::ResourceExhaustedError("full");
  EXPECT_THAT(pipe_.FinishSending(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(pipe_.TrySend(BlobOf("a")), IsOkAndHolds(true));
  pipe_.finish_answer = absl::OkStatus();
  EXPECT_OK(pipe_.FinishSending());
  pipe_.finish_answer = absl::ResourceExhaustedError("full");
  EXPECT_OK(pipe_.FinishSending()) << "only once";
  EXPECT_THAT(pipe_.TrySend(BlobOf("a")), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(BufferedPipeTest, IsShutOnce) {
  pipe_.Close();
  pipe_.Close();
  EXPECT_EQ(pipe_.shuts, 1);
  EXPECT_THAT(Receive(8), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(pipe_.TrySendBatch({}), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(BufferedPipeTest, SaysThatAnEventLoopCannotWatchIt) {
  EXPECT_THAT(pipe_.SendWaitable(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(pipe_.ReceiveWaitable(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace ipc::testing
