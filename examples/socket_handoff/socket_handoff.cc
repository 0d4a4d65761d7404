// A front that accepts TCP connections, and a worker that serves them. The front reads the first line of each client,
// then the connected socket goes to the other process, with all that was read from it.
//
//   socket_handoff &
//   nc 127.0.0.1 PORT      # The port that it tells; then type "HELLO Ada", and anything.

#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/socket_handoff/front.h"
#include "examples/socket_handoff/worker.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"

ABSL_FLAG(absl::Duration, line_time, absl::Seconds(10), "how long the front waits for a client's first line");

namespace socket_handoff {
namespace {

// Starts this program again with `socket`, which it finds by its number. It gets no signals blocked.
absl::StatusOr<pid_t> StartProcess(ipc::FdView socket) {
  std::string arguments[] = {"socket_handoff", "worker", absl::StrCat(socket.get())};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // From a number to itself: what is close-on-exec here stays open there.
  posix_spawn_file_actions_adddup2(&actions, socket.get(), socket.get());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ipc::FromErrno(error, "start a worker");
  return pid;
}

absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> StartWorker() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ipc::FromErrno(errno, "make a pair of sockets");
  }
  ipc::Fd here(sockets[0]);
  const ipc::Fd there(sockets[1]);
  const absl::StatusOr<pid_t> pid = StartProcess(there);
  if (!pid.ok()) return pid.status();
  std::cout << "front: started worker " << *pid << std::endl;
  return ipc::SocketPipe::FromSocket(std::move(here));
}

absl::Status RunWorker(int socket) {
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> front = ipc::SocketPipe::FromSocket(ipc::Fd(socket));
  if (!front.ok()) return front.status();
  return Worker(*std::move(front)).Run();
}

absl::Status RunFront() {
  signal(SIGCHLD, SIG_IGN);  // Nobody waits for a worker's exit code.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  const ipc::Fd stop(signalfd(-1, &ends, SFD_CLOEXEC));
  if (!stop.valid()) return ipc::FromErrno(errno, "watch for signals");
  absl::StatusOr<Front> front = Front::Listen(&StartWorker, absl::GetFlag(FLAGS_line_time));
  return front.ok() ? front->Run(stop) : front.status();
}

}  // namespace
}  // namespace socket_handoff

int main(int argc, char** argv) {
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  const absl::Status status = arguments.size() == 3 ? socket_handoff::RunWorker(std::atoi(arguments[2]))  //
                                                    : socket_handoff::RunFront();
  if (!status.ok()) std::cerr << argv[0] << ": " << status << std::endl;
  return status.ok() ? 0 : 1;
}
