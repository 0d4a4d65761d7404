#include "ipc_transport/socket_pipe.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/named_socket.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

absl::StatusOr<testing::PipePair> MakePair() {
  auto pair = SocketPipe::CreatePair();
  if (!pair.ok()) return pair.status();
  return testing::PipePair(std::move(pair->first), std::move(pair->second));
}

absl::StatusOr<std::unique_ptr<Pipe>> MakeFromSocket(Fd socket) { return SocketPipe::FromSocket(std::move(socket)); }

// What `frame` makes of a pipe that receives it.
absl::Status ReceiveFrame(const std::vector<uint8_t>& frame, size_t descriptors = 0) {
  auto [here, stranger] = testing::MakeSocketPair();
  auto pipe = SocketPipe::FromSocket(std::move(here), {.max_message_bytes = 100});
  EXPECT_THAT(pipe, IsOk());
  const Blob part(reinterpret_cast<const std::byte*>(frame.data()), frame.size());
  EXPECT_THAT(
      internal::SendPacket(stranger, absl::MakeConstSpan(&part, 1), std::vector<FdView>(descriptors, stranger.view())),
      IsOk());
  std::vector<std::byte> buffer(100);
  return (*pipe)->TryReceive(absl::MakeSpan(buffer), nullptr).status();
}

// M2, M3, M5, D1: version, type, descriptors, reserved, four bytes of length.
TEST(SocketFrameTest, OnlyHonestFramesPass) {
  EXPECT_THAT(ReceiveFrame({1, 1, 0, 0, 2, 0, 0, 0, 'h', 'i'}), IsOk());
  EXPECT_THAT(ReceiveFrame({2, 1, 0, 0, 0, 0, 0, 0}), StatusIs(absl::StatusCode::kFailedPrecondition));
  const std::vector<std::vector<uint8_t>> dishonest = {
      {1},                                        // Cut short.
      {1, 1, 0, 0, 0, 0, 0},                      // The same.
      {1, 0, 0, 0, 0, 0, 0, 0},                   // No such type.
      {1, 4, 0, 0, 0, 0, 0, 0},                   // The same.
      {1, 1, 0, 1, 0, 0, 0, 0},                   // Reserved byte.
      {1, 1, 0, 0, 1, 0, 0, 0},                   // Longer than what came.
      {1, 1, 0, 0, 1, 0, 0, 0, 'h', 'i'},         // Shorter.
      {1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 'h'},  // Enormous.
      {1, 1, 1, 0, 0, 0, 0, 0},                   // A descriptor that did not come.
      {1, 2, 0, 0, 1, 0, 0, 0, 'x'},              // A finish with a payload.
      {1, 3, 0, 0, 1, 0, 0, 0, 'x'},              // A goodbye with a payload.
  };
  for (const std::vector<uint8_t>& frame : dishonest) {
    EXPECT_THAT(ReceiveFrame(frame), StatusIs(absl::StatusCode::kDataLoss)) << ::testing::PrintToString(frame);
  }
  std::vector<uint8_t> too_long = {1, 1, 0, 0, 101, 0, 0, 0};
  too_long.resize(8 + 101);
  EXPECT_THAT(ReceiveFrame(too_long), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ReceiveFrame({1, 1, 0, 0, 0, 0, 0, 0}, 1), StatusIs(absl::StatusCode::kDataLoss));    // Unannounced.
  EXPECT_THAT(ReceiveFrame({1, 1, 17, 0, 0, 0, 0, 0}, 17), StatusIs(absl::StatusCode::kDataLoss));  // Too many.
}

TEST(SocketPipeTest, ADishonestFrameEndsBothDirections) {
  auto [here, stranger] = testing::MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(const auto pipe, SocketPipe::FromSocket(std::move(here)));
  const std::byte noise[3] = {};
  const Blob part(noise);
  ASSERT_OK(internal::SendPacket(stranger, absl::MakeConstSpan(&part, 1), {}));
  std::vector<std::byte> buffer(100);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(pipe->TryReceive(absl::MakeSpan(buffer), nullptr), StatusIs(absl::StatusCode::kDataLoss));
  }
  EXPECT_THAT(pipe->TrySend(noise), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(SocketPipeTest, RefusesAnUnconnectedSocket) {
  ASSERT_OK_AND_ASSIGN(const auto pipe, SocketPipe::FromSocket(Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0))));
  EXPECT_THAT(pipe->TrySend({}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SocketPipeTest, RefusesBadOptions) {
  for (const size_t bytes : {size_t{0}, size_t{128} * 1024 + 1}) {
    EXPECT_THAT(SocketPipe::CreatePair({.max_message_bytes = bytes}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(SocketPipeTest, RefusesAStreamSocket) {
  auto [here, there] = testing::MakeSocketPair(SOCK_STREAM);
  EXPECT_THAT(SocketPipe::FromSocket(std::move(here)), StatusIs(absl::StatusCode::kInvalidArgument));
}

// R2
TEST(SocketPipeTest, SaysWhichLimitToRaise) {
  const testing::World before = testing::World::Now();
  {
    const testing::OsTesting os({testing::FailCall("SocketPair", EMFILE)});
    EXPECT_THAT(SocketPipe::CreatePair(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
  }
  for (const char* const function : {"Socket", "Connect"}) {
    const testing::NamedSocket listener;
    const testing::OsTesting os({testing::FailCall(function, EMFILE)});
    EXPECT_THAT(SocketPipe::Connect(listener.path()),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
    EXPECT_EQ(os.interventions(), 1);
  }
  EXPECT_EQ(testing::World::Now(), before);
}

// The size of its buffer is a wish.
TEST(SocketPipeTest, DoesWithoutALargeBuffer) {
  const testing::OsTesting os({testing::FailCall("SetSockOpt", EPERM, {.times = testing::kAlways})});
  ASSERT_OK_AND_ASSIGN(const auto pair, SocketPipe::CreatePair());
  EXPECT_GT(os.interventions(), 0);
  EXPECT_THAT(pair.first->TrySend({}), IsOkAndHolds(true));
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Socket, {.create_pair = &ipc::MakePair, .from_socket = &ipc::MakeFromSocket});
