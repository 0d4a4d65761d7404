#include "examples/structured/content.h"

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "examples/structured/connected.h"
#include "examples/structured/file_channel.h"
#include "examples/structured/files.capnp.h"
#include "examples/structured/meeting.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace files {
namespace {

using ::ipc::testing::Child;
using ::ipc::testing::IsOk;
using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;

TEST(DescriptorsTest, TheClientReadsWhatTheServiceOpened) {
  const TempDir folder;
  const std::string path = absl::StrCat(folder.path(), "/file");
  std::ofstream(path) << "content";
  Connection ends = Connect();
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<ipc::Incoming<Body>> request = ends.service.Receive(TimeLimit());
      ASSERT_THAT(request, IsOk());
      EXPECT_OK(AnswerOpen(ends.service, {{"it", path}}, *request));
    }
  });
  const absl::StatusOr<ipc::Fd> file = Open(ends.client, "it");
  EXPECT_THAT(Open(ends.client, path), StatusIs(absl::StatusCode::kNotFound));
  server.join();
  ASSERT_OK(file);
  std::array<char, 16> content;
  EXPECT_EQ(pread(file->get(), content.data(), content.size(), 0), 7);
  EXPECT_EQ(std::string(content.data(), 7), "content");
}

constexpr uint64_t kGigabyte = 1'000'000'000;
constexpr uint64_t kLittle = 10'000'000;

// Marks both ends of a part. The rest is not touched, and takes no memory.
void Mark(uint64_t offset, absl::Span<std::byte> part) {
  part.front() = std::byte(offset >> 28 | 1);
  part.back() = std::byte(offset >> 28 | 2);
}

// Counts in `marked` the parts whose marks are right.
absl::StatusOr<uint64_t> ReceiveMarked(FileChannel& channel, int& marked) {
  return ReceiveContent(channel, [&](uint64_t offset, absl::Span<const std::byte> part) {
    marked += part.front() == std::byte(offset >> 28 | 1) && part.back() == std::byte(offset >> 28 | 2);
  });
}

SLUICE_CHILD_ROLE(content_service) {
  return ServeIn(arguments[0], kGigabyte * 2, [](memory::Session& session) {
    FileChannel channels[] = {FileChannel::Upgrade(session.TakeChannel(0), session),
                              FileChannel::Upgrade(session.TakeChannel(1), session)};
    if (absl::Status sent = SendContent(channels[0], kGigabyte, &Mark); !sent.ok()) return sent;
    FileChannel* const all[] = {&channels[0], &channels[1]};
    absl::Status sent = LogToAll(all, std::string(100'000, 'x'));
    session.WaitForEnd(TimeLimit()).IgnoreError();  // Closing a channel would drop nothing, but end it for the client.
    return sent;
  });
}

class ContentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    service_.emplace(Child::Start("content_service", {folder_.path()}));
    ASSERT_EQ(service_->Hear(), "listening");
    ASSERT_OK_AND_ASSIGN(session_, MeetIn(folder_.path()));
  }
  FileChannel TakeChannel(int index) { return FileChannel::Upgrade(session_->TakeChannel(index), *session_); }

  TempDir folder_;
  std::optional<Child> service_;
  std::optional<memory::Session> session_;
};

TEST_F(ContentTest, AGigabyteIsReadWhereItWasWritten) {
  FileChannel channel = TakeChannel(0);
  int marked = 0;
  EXPECT_THAT(ReceiveMarked(channel, marked), IsOkAndHolds(kGigabyte));
  EXPECT_EQ(marked, 4);
  const ipc::StructuredCounters counters = channel.counters();
  EXPECT_GE(counters.received.stored_bytes, kGigabyte);
  EXPECT_LT(counters.received.bytes, 10'000u);
}

TEST_F(ContentTest, AllReceiversGetTheSame) {
  FileChannel first = TakeChannel(0);
  FileChannel second = TakeChannel(1);
  ASSERT_OK(first.Receive(TimeLimit()));
  for (FileChannel* const channel : {&first, &second}) {
    ASSERT_OK_AND_ASSIGN(const ipc::Incoming<Body> message, channel->Receive(TimeLimit()));
    ASSERT_TRUE(message.body().isLog());
    EXPECT_EQ(std::string(message.body().getLog().cStr()), std::string(100'000, 'x'));
  }
  session_.reset();
  EXPECT_EQ(service_->Wait(), 0);
}

TEST(HeapContentTest, IsCopiedThroughTheRing) {
  Connection ends = Connect();
  std::thread sender([&] { EXPECT_OK(SendContent(ends.client, kLittle, &Mark)); });
  int marked = 0;
  EXPECT_THAT(ReceiveMarked(ends.service, marked), IsOkAndHolds(kLittle));
  EXPECT_EQ(marked, 1);
  EXPECT_GE(ends.service.counters().received.bytes, kLittle);
  sender.join();
}

}  // namespace
}  // namespace files
