#include "ipc_transport/internal/epoll.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::MakeEpoll;
using ::ipc::internal::Watch;
using ::testing::HasSubstr;

TEST(EpollTest, TellsTheKeyOfWhatIsReady) {
  const auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(const Fd epoll, MakeEpoll());
  ASSERT_OK(Watch(epoll, here, EPOLLIN, 7));
  epoll_event event;
  EXPECT_EQ(epoll_wait(epoll.get(), &event, 1, 0), 0);
  ASSERT_EQ(send(there.get(), "x", 1, 0), 1);
  ASSERT_EQ(epoll_wait(epoll.get(), &event, 1, 0), 1);
  const uint64_t key = event.data.u64;  // No reference to it: the structure is packed.
  EXPECT_EQ(key, 7u);
}

TEST(EpollTest, ErrorsAreTheSystems) {
  const auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(const Fd epoll, MakeEpoll());
  ASSERT_OK(Watch(epoll, here, EPOLLIN));
  EXPECT_THAT(Watch(epoll, here, EPOLLIN), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("watch")));
  const OsTesting os({FailCall("EpollCreate", EMFILE)});
  EXPECT_THAT(MakeEpoll(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
}

}  // namespace
}  // namespace ipc::testing
