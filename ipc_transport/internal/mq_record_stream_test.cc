#include "ipc_transport/internal/mq_record_stream.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::ipc::internal::MqRecordHeader;
using ::ipc::internal::MqRecordReader;
using ::ipc::internal::MqRecordWriter;

constexpr size_t kMaxPayload = 100;

class MqRecordStreamTest : public ::testing::Test {
 protected:
  MqRecordStreamTest() : MqRecordStreamTest(MakeSocketPair()) {}

  Bytes Record(const Bytes& payload, size_t descriptors = 0) {
    const Blob parts[] = {Blob(payload).subspan(0, payload.size() / 2), Blob(payload).subspan(payload.size() / 2)};
    const Blob record = writer_.Assemble(parts, payload.size(), descriptors);
    return Bytes(record.begin(), record.end());
  }

  // The payload of `record`, by way of a buffer of `buffer_bytes` and an overflow.
  absl::StatusOr<Bytes> Deliver(const Bytes& record, size_t buffer_bytes = kMaxPayload) {
    Bytes whole(kMaxPayload);
    const absl::StatusOr<size_t> bytes = reader_.Deliver(record, absl::MakeSpan(whole).subspan(0, buffer_bytes),
                                                         absl::MakeSpan(whole).subspan(buffer_bytes), &descriptors_);
    if (!bytes.ok()) return bytes.status();
    whole.resize(*bytes);
    return whole;
  }

  const std::shared_ptr<Link> link_;
  const std::shared_ptr<Link> peer_link_;
  MqRecordWriter writer_;
  MqRecordReader reader_;
  std::vector<Fd> descriptors_;

 private:
  explicit MqRecordStreamTest(std::pair<Fd, Fd> sockets)
      : link_(Link::Create(std::move(sockets.first), PidFd()).value()),
        peer_link_(Link::Create(std::move(sockets.second), PidFd()).value()),
        writer_(link_, kMaxPayload + sizeof(MqRecordHeader)),
        reader_(peer_link_, kMaxPayload) {}
};

TEST_F(MqRecordStreamTest, WhatIsWrittenIsRead) {
  uint32_t seed = 0;
  for (const size_t bytes : {size_t{0}, size_t{1}, kMaxPayload}) {
    for (const size_t buffer_bytes : {size_t{0}, size_t{1}, kMaxPayload - 1, kMaxPayload}) {
      const Bytes payload = MakeMessage(bytes, seed++);
      EXPECT_THAT(Deliver(Record(payload), buffer_bytes), IsOkAndHolds(payload));
    }
  }
  const Blob finish = writer_.AssembleFinish();
  EXPECT_THAT(Deliver(Bytes(finish.begin(), finish.end())), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_FALSE(peer_link_->ended());
}

TEST_F(MqRecordStreamTest, DescriptorsComeWithTheirRecord) {
  EXPECT_THAT(writer_.SendDescriptors({}), IsOkAndHolds(true));
  const Fd file = FileWith("first");
  const FdView views[] = {file, file};
  EXPECT_THAT(writer_.SendDescriptors(absl::MakeConstSpan(views, 1)), IsOkAndHolds(true));
  const Bytes first = Record(MakeMessage(1, 1), 1);
  EXPECT_THAT(writer_.SendDescriptors(views), IsOkAndHolds(true));
  const Bytes second = Record(MakeMessage(2, 2), 2);
  EXPECT_THAT(Deliver(first), IsOkAndHolds(MakeMessage(1, 1)));
  EXPECT_EQ(descriptors_.size(), 1u);
  EXPECT_THAT(Deliver(second), IsOkAndHolds(MakeMessage(2, 2)));
  EXPECT_EQ(descriptors_.size(), 3u);
}

TEST_F(MqRecordStreamTest, AFullLinkRefusesDescriptors) {
  const Fd file = FileWith("x");
  const FdView view = file;
  const OsTesting os({FailCall("SendMsg", EAGAIN)});
  EXPECT_THAT(writer_.SendDescriptors(absl::MakeConstSpan(&view, 1)), IsOkAndHolds(false));
  EXPECT_THAT(writer_.SendDescriptors(absl::MakeConstSpan(&view, 1)), IsOkAndHolds(true));
}

// D1
TEST_F(MqRecordStreamTest, DescriptorsThatDidNotComeAreDataLoss) {
  EXPECT_THAT(Deliver(Record(MakeMessage(1, 1), 1)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(peer_link_->ended());
}

// M5: a record that is left out, or comes twice.
TEST_F(MqRecordStreamTest, RecordsOutOfTurnAreDataLoss) {
  const Bytes first = Record(MakeMessage(1, 1));
  EXPECT_THAT(Deliver(first), IsOkAndHolds(MakeMessage(1, 1)));
  EXPECT_THAT(Deliver(first), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(peer_link_->end_status(), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace ipc::testing
