#include "perf_demo/message_stream.h"

#include <capnp/message.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "perf_demo/build_answer.h"
#include "perf_demo/file_source.h"
#include "perf_demo/read_answer.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TimeLimit;
using ::testing::HasSubstr;

class MessageStreamTest : public ::testing::TestWithParam<ipc::WaitMode> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(auto sockets, MessageStream::MakeSockets());
    raw_ = ipc::FdView(sockets.first.get());
    first_.emplace(std::move(sockets.first), GetParam());
    second_.emplace(std::move(sockets.second), GetParam());
  }

  static void Fill(uint64_t bytes, capnp::MessageBuilder& message) {
    const FileSource source = FileSource::OfSizes({bytes});
    ASSERT_OK_AND_ASSIGN(const File file, source.Open(source.entries()[0].name));
    ASSERT_OK(BuildAnswer(file, [] { return absl::OkStatus(); }, message.getRoot<Body>()));
  }

  // Sends a file of so many bytes from the first to the second, and checks it there.
  void ExpectPasses(uint64_t bytes) {
    capnp::MallocMessageBuilder message;
    Fill(bytes, message);
    std::thread sender([&] { EXPECT_OK(first_->Send(message, TimeLimit())); });
    const absl::StatusOr<capnp::MessageReader*> received = second_->Receive(TimeLimit());
    sender.join();
    ASSERT_OK(received);
    ASSERT_OK_AND_ASSIGN(const GetCacheRsp::Reader file, FileIn((*received)->getRoot<Body>()));
    EXPECT_EQ(FileBytes(file), bytes);
    EXPECT_OK(VerifyParts(file, Verify::kAll));
  }

  ipc::FdView raw_;  // The first's socket.
  std::optional<MessageStream> first_;
  std::optional<MessageStream> second_;
};

INSTANTIATE_TEST_SUITE_P(Waits, MessageStreamTest,
                         ::testing::Values(ipc::WaitMode::kAdaptive, ipc::WaitMode::kSpin, ipc::WaitMode::kSleep));

TEST_P(MessageStreamTest, SmallAndLargeMessagesPass) {
  for (const uint64_t bytes : {0, 1, 100'000, 10'000'000, 7, 9'000'000}) ExpectPasses(bytes);
}

TEST_P(MessageStreamTest, BothWaysInTurn) {
  capnp::MallocMessageBuilder question;
  question.getRoot<Body>().initGetCacheReq().setFileName("a name");
  ASSERT_OK(second_->Send(question, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(capnp::MessageReader* const received, first_->Receive(TimeLimit()));
  EXPECT_EQ(received->getRoot<Body>().getGetCacheReq().getFileName(), "a name");
  ExpectPasses(1000);
}

TEST_P(MessageStreamTest, AClosedPeerIsNoticed) {
  capnp::MallocMessageBuilder message;
  Fill(20'000'000, message);
  std::thread sender(
      [&] { EXPECT_THAT(first_->Send(message, TimeLimit()), StatusIs(absl::StatusCode::kUnavailable)); });
  second_.reset();
  sender.join();
  first_->Receive(TimeLimit()).IgnoreError();
  EXPECT_THAT(first_->Receive(TimeLimit()).status(), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(MessageStreamTest, WaitsUntilTheDeadline) {
  EXPECT_THAT(second_->Receive(absl::Milliseconds(1)).status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  capnp::MallocMessageBuilder message;
  Fill(20'000'000, message);
  EXPECT_THAT(first_->Send(message, absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_P(MessageStreamTest, HalfAMessageIsDataLoss) {
  const uint32_t half[] = {0, 2, 1, 1};
  ASSERT_EQ(write(raw_.get(), half, sizeof(half)), static_cast<ssize_t>(sizeof(half)));
  ASSERT_EQ(shutdown(raw_.get(), SHUT_WR), 0);
  EXPECT_THAT(second_->Receive(TimeLimit()).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("in the middle of a message")));
}

TEST_P(MessageStreamTest, TwoMessagesAtOnceAreDataLoss) {
  const uint32_t two[] = {0, 1, 0, 0, 0, 1, 0, 0};
  ASSERT_EQ(write(raw_.get(), two, sizeof(two)), static_cast<ssize_t>(sizeof(two)));
  EXPECT_THAT(second_->Receive(TimeLimit()).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("more than one message")));
}

}  // namespace
}  // namespace cache_demo
