#include "ipc_transport/internal/mq_sender.h"

#include <mqueue.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::ipc::internal::MakeMqQueue;
using ::ipc::internal::MqQueue;
using ::ipc::internal::MqRecordHeader;
using ::ipc::internal::MqRecordType;
using ::ipc::internal::MqSender;
using ::ipc::internal::MqShape;
using ::testing::HasSubstr;

constexpr MqShape kShape = {.message_bytes = 64, .messages = 3};

// A record as the peer finds it.
struct Record {
  MqRecordHeader header;
  std::string payload;
};

class MqSenderTest : public ::testing::Test {
 protected:
  MqSenderTest() {
    auto [here, there] = MakeSocketPair();
    link_ = Link::Create(std::move(here), PidFd()).value();
    peer_link_ = Link::Create(std::move(there), PidFd()).value();
    MqQueue queue = MakeMqQueue(kShape).value();
    reader_ = std::move(queue.reader);
    sender_.emplace(MqSender::Create(std::move(queue.writer), kShape, link_).value());
  }

  absl::StatusOr<bool> TrySend(absl::string_view text, absl::Span<const FdView> descriptors = {}) {
    const Blob part(reinterpret_cast<const std::byte*>(text.data()), text.size());
    return sender_->TrySend(absl::MakeConstSpan(&part, 1), text.size(), descriptors);
  }

  std::optional<Record> Take() {
    char message[64];
    const timespec at_once = {};
    const ssize_t bytes = mq_timedreceive(reader_.get(), message, sizeof(message), nullptr, &at_once);
    if (bytes < 0) return std::nullopt;
    Record record;
    std::memcpy(&record.header, message, sizeof(record.header));
    record.payload.assign(message + sizeof(record.header), bytes - sizeof(record.header));
    return record;
  }

  bool IsReady() const {
    pollfd poll = {.fd = sender_->events().get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, 0) == 1;
  }

  std::shared_ptr<Link> link_;
  std::shared_ptr<Link> peer_link_;
  Fd reader_;
  std::optional<MqSender> sender_;
};

TEST_F(MqSenderTest, PutsRecordsIntoTheQueue) {
  EXPECT_THAT(TrySend("one"), IsOkAndHolds(true));
  EXPECT_THAT(TrySend(""), IsOkAndHolds(true));
  std::optional<Record> record = Take();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->header.record, 0u);
  EXPECT_EQ(record->header.bytes, 3u);
  EXPECT_EQ(record->payload, "one");
  record = Take();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->header.record, 1u);
  EXPECT_EQ(record->payload, "");
}

TEST_F(MqSenderTest, KeepsAPlaceForTheFinish) {
  EXPECT_THAT(TrySend("1"), IsOkAndHolds(true));
  EXPECT_THAT(TrySend("2"), IsOkAndHolds(true));
  EXPECT_THAT(TrySend("3"), IsOkAndHolds(false));
  EXPECT_FALSE(sender_->HasRoom());
  EXPECT_FALSE(sender_->link_was_full());
  EXPECT_OK(sender_->Finish());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Take()->header.type, MqRecordType::kMessage);
  const std::optional<Record> last = Take();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->header.type, MqRecordType::kFinish);
  EXPECT_EQ(last->header.record, 2u);
}

// It asks the kernel only when it knows of no room.
TEST_F(MqSenderTest, AsksForRoomOnceInAWhile) {
  const OsTesting os;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 2; ++j) EXPECT_THAT(TrySend("x"), IsOkAndHolds(true));
    for (int j = 0; j < 2; ++j) EXPECT_TRUE(Take().has_value());
  }
  EXPECT_EQ(os.calls("MqTimedSend"), 20);
  EXPECT_EQ(os.calls("MqGetAttr"), 10);
}

TEST_F(MqSenderTest, DescriptorsGoBeforeTheirRecord) {
  const FdView descriptors[] = {reader_, reader_};
  EXPECT_THAT(TrySend("with", descriptors), IsOkAndHolds(true));
  EXPECT_EQ(Take()->header.descriptors, 2);
  ASSERT_OK_AND_ASSIGN(const std::vector<Fd> received, peer_link_->TakeDescriptors(/*channel=*/0, 0, 2));
  EXPECT_EQ(received.size(), 2u);
}

TEST_F(MqSenderTest, ALinkThatIsFullRefusesDescriptors) {
  const FdView descriptor = reader_;
  const OsTesting os({FailCall("SendMsg", EAGAIN)});
  EXPECT_THAT(TrySend("x", absl::MakeConstSpan(&descriptor, 1)), IsOkAndHolds(false));
  EXPECT_TRUE(sender_->link_was_full());
  EXPECT_FALSE(Take().has_value());
  EXPECT_THAT(TrySend("y"), IsOkAndHolds(true));
  EXPECT_FALSE(sender_->link_was_full());
  EXPECT_EQ(Take()->header.record, 0u);
}

TEST_F(MqSenderTest, ADescriptorThatIsNotOpenSendsNothing) {
  const FdView closed(1'000'000);
  EXPECT_THAT(TrySend("x", absl::MakeConstSpan(&closed, 1)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(Take().has_value());
  EXPECT_FALSE(link_->ended());
}

TEST_F(MqSenderTest, TellsWhenTheReaderMakesRoom) {
  EXPECT_TRUE(IsReady()) << "at first";
  sender_->Quiet();
  EXPECT_FALSE(IsReady());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(TrySend("x"), IsOkAndHolds(true));
  sender_->Quiet();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(IsReady()) << "the place for the finish is no room";
    ASSERT_TRUE(Take().has_value());
    EXPECT_TRUE(IsReady());
    EXPECT_TRUE(IsReady()) << "until it is quieted";
    sender_->Quiet();
  }
  sender_->Signal();
  EXPECT_TRUE(IsReady());
}

TEST_F(MqSenderTest, TellsOfThePeersEnd) {
  sender_->Quiet();
  EXPECT_FALSE(IsReady());
  peer_link_->End(absl::CancelledError(""));
  EXPECT_TRUE(IsReady());
  sender_->Quiet();
  EXPECT_TRUE(IsReady()) << "for ever";
}

// A peer of the same user may open its end again, for sending.
TEST_F(MqSenderTest, AQueueThatSomebodyElseFillsIsTheEnd) {
  ASSERT_TRUE(sender_->HasRoom());
  const OsTesting os({FailCall("MqTimedSend", ETIMEDOUT)});
  EXPECT_THAT(TrySend("x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("somebody else")));
  EXPECT_TRUE(link_->ended());
}

TEST_F(MqSenderTest, AnErrorOfTheQueueIsTheEnd) {
  const OsTesting os({FailCall("MqTimedSend", ENOMEM)});
  EXPECT_THAT(TrySend("x"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(link_->end_status(), StatusIs(absl::StatusCode::kResourceExhausted));
}

// F27
TEST_F(MqSenderTest, InterruptedCallsAreRepeated) {
  const OsTesting os({FailCall("MqTimedSend", EINTR, {.times = kAlways, .every = 2}),
                      FailCall("EpollWait", EINTR, {.times = kAlways, .every = 2})});
  EXPECT_THAT(TrySend("x"), IsOkAndHolds(true));
  sender_->Quiet();
  EXPECT_FALSE(IsReady());
  EXPECT_EQ(os.interventions(), 2);
}

// R2
TEST(MqSenderCreateTest, SaysWhichLimitToRaise) {
  auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Link> link, Link::Create(std::move(here), PidFd()));
  for (const auto& [call, error] :
       std::vector<std::pair<const char*, int>>{{"EpollCreate", EMFILE}, {"EpollCtl", ENOMEM}}) {
    ASSERT_OK_AND_ASSIGN(MqQueue queue, MakeMqQueue(kShape));
    const OsTesting os({FailCall(call, error)});
    EXPECT_THAT(MqSender::Create(std::move(queue.writer), kShape, link),
                StatusIs(absl::StatusCode::kResourceExhausted));
  }
}

}  // namespace
}  // namespace ipc::testing
