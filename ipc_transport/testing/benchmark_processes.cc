#include "ipc_transport/testing/benchmark_processes.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// The processors that this program was given.
const std::vector<int>& AllowedProcessors() {
  static const std::vector<int> processors = [] {
    cpu_set_t set;
    std::vector<int> result;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) Die("cannot ask for the allowed processors");
    for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
      if (CPU_ISSET(processor, &set)) result.push_back(processor);
    }
    return result;
  }();
  return processors;
}

void PinTo(size_t index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(AllowedProcessors()[index % AllowedProcessors().size()], &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) Die("cannot pin a process");
}

}  // namespace

void Die(absl::string_view why) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, std::string(why).c_str());
  std::_Exit(1);
}

Peer::Peer(Cores cores, absl::FunctionRef<void(Fd socket)> body) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) Die("cannot make a pair of sockets");
  AllowedProcessors();
  pid_ = fork();
  if (pid_ < 0) Die("cannot fork");
  if (pid_ == 0) {
    close(sockets[0]);
    PinTo(cores == Cores::kOneEach ? 1 : 0);
    body(Fd(sockets[1]));
    std::_Exit(0);
  }
  close(sockets[1]);
  socket_ = Fd(sockets[0]);
  PinTo(0);
}

Peer::~Peer() {
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_ || status != 0) Die("the peer failed");
}

Fd Peer::TakeSocket() { return std::move(socket_); }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
