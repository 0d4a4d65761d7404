#include "ipc_transport/ring_pipe.h"

#include <sys/socket.h>

#include <array>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_util/region.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

absl::StatusOr<testing::PipePair> MakePair() {
  auto pair = RingPipe::CreatePair();
  if (!pair.ok()) return pair.status();
  return testing::PipePair(std::move(pair->first), std::move(pair->second));
}

absl::StatusOr<std::unique_ptr<Pipe>> MakeFromSocket(Fd socket) { return RingPipe::FromSocket(std::move(socket)); }

// What a stranger sends in place of the hello; the layout is that of ring_handshake.cc.
struct Hello {
  uint32_t magic = 0x676e6952;
  uint16_t oldest_version = 1;
  uint16_t newest_version = 1;
  uint64_t ring_bytes = 4096;
};

class RingHelloTest : public ::testing::Test {
 protected:
  RingHelloTest() { MakeSockets(); }

  void MakeSockets() {
    int sockets[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    ours_ = Fd(sockets[0]);
    strangers_ = Fd(sockets[1]);
  }

  absl::Status Meet(const Hello& hello, FdView outbox) {
    const Blob part(reinterpret_cast<const std::byte*>(&hello), sizeof(hello));
    EXPECT_THAT(internal::SendPacket(strangers_, absl::MakeConstSpan(&part, 1), absl::MakeConstSpan(&outbox, 1)),
                IsOk());
    return RingPipe::FromSocket(std::move(ours_), {}, Deadline::Passed()).status();
  }

  static Region Outbox(size_t bytes = 4096 + 4096, Sharing sharing = Sharing::kOneWriter) {
    absl::StatusOr<Region> region = Region::Create("test", bytes, sharing);
    EXPECT_THAT(region, IsOk());
    return *std::move(region);
  }

  Fd ours_;
  Fd strangers_;
};

TEST_F(RingHelloTest, AcceptsAnHonestOne) {
  const Region outbox = Outbox();
  EXPECT_THAT(Meet({}, outbox.fd()), IsOk());
}

TEST_F(RingHelloTest, RefusesAnotherProtocol) {
  const Region outbox = Outbox();
  EXPECT_THAT(Meet({.magic = 1}, outbox.fd()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(RingHelloTest, RefusesDisjointVersionsAndNamesBoth) {
  const Region outbox = Outbox();
  const absl::Status status = Meet({.oldest_version = 7, .newest_version = 9}, outbox.fd());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("here 1 to 1, the peer 7 to 9")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongVersion);
}

TEST_F(RingHelloTest, RefusesSizesThatNoRingHas) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{4095}, uint64_t{4097}, uint64_t{1} << 31, ~uint64_t{0}}) {
    const Region outbox = Outbox();
    MakeSockets();
    EXPECT_THAT(Meet({.ring_bytes = bytes}, outbox.fd()), StatusIs(absl::StatusCode::kDataLoss));
  }
}

// D2, H1
TEST_F(RingHelloTest, RefusesAnOutboxThatIsNotOne) {
  const Region too_small = Outbox(4096);
  EXPECT_THAT(Meet({}, too_small.fd()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(RingHelloTest, RefusesAnOutboxThatOthersMayWrite) {
  const Region open = Outbox(8192, Sharing::kManyWriters);
  EXPECT_THAT(Meet({}, open.fd()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(RingHelloTest, RefusesASocketAsOutbox) {
  EXPECT_THAT(Meet({}, strangers_), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(RingHelloTest, WaitsNoLongerThanTheDeadline) {
  EXPECT_THAT(RingPipe::FromSocket(std::move(ours_), {}, Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(RingHelloTest, NoticesAPeerThatLeaves) {
  strangers_.Close();
  EXPECT_THAT(RingPipe::FromSocket(std::move(ours_), {}, Deadline::Never()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(RingPipeTest, RefusesBadOptions) {
  for (const size_t bytes : {size_t{0}, size_t{2048}, size_t{5000}, size_t{1} << 31}) {
    EXPECT_THAT(RingPipe::CreatePair({.ring_bytes = bytes}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(RingPipeTest, RefusesAStreamSocket) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const Fd other(sockets[1]);
  EXPECT_THAT(RingPipe::FromSocket(Fd(sockets[0])), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Ring, {.create_pair = &ipc::MakePair, .from_socket = &ipc::MakeFromSocket});
