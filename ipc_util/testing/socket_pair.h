// Two connected Unix sockets.

#ifndef SLUICE_IPC_UTIL_TESTING_SOCKET_PAIR_H_
#define SLUICE_IPC_UTIL_TESTING_SOCKET_PAIR_H_

#include <sys/socket.h>

#include <cstdlib>
#include <utility>

#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Ends the program where that fails.
inline std::pair<Fd, Fd> MakeSocketPair(int type = SOCK_SEQPACKET) {
  int sockets[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets) != 0) std::abort();
  return {Fd(sockets[0]), Fd(sockets[1])};
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_SOCKET_PAIR_H_
