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

TEST(SocketPipeTest, RefusesAnUnconnectedSocket) {
  for (const int type : {SOCK_SEQPACKET, SOCK_STREAM}) {
    EXPECT_THAT(SocketPipe::FromSocket(Fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0))),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not connected")));
  }
}

TEST(SocketPipeTest, RefusesBadOptions) {
  for (const size_t bytes : {size_t{0}, size_t{128} * 1024 + 1}) {
    EXPECT_THAT(SocketPipe::CreatePair({.max_message_bytes = bytes}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
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

SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Socket, {.create_pair = &ipc::MakePair,
                                             .from_socket = &ipc::MakeFromSocket,
                                             .points = {"socket.hello.sent", "socket.hello.received"}});
