#include "ipc_util/testing/refused_calls.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"

namespace ipc::testing {
namespace {

SLUICE_CHILD_ROLE(is_refused) {
  if (!RefuseCalls({{.number = SYS_memfd_create, .error = ENOSYS},
                    {.number = SYS_getsockopt, .error = EPERM, .third_argument = SO_TYPE}})) {
    return 1;
  }
  if (memfd_create("x", 0) >= 0 || errno != ENOSYS) return 2;
  const auto [socket, other] = MakeSocketPair();
  int value = 0;
  socklen_t bytes = sizeof(value);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &value, &bytes) == 0 || errno != EPERM) return 3;
  return getsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &value, &bytes) == 0 ? 0 : 4;
}

TEST(RefusedCallsTest, TheChosenCallsFailAndOthersDoNot) { EXPECT_EQ(Child::Start("is_refused").Wait(), 0); }

}  // namespace
}  // namespace ipc::testing
