// Where a program listens for socket pipes: a path in the file system.

#ifndef SLUICE_IPC_TRANSPORT_SOCKET_LISTENER_H_
#define SLUICE_IPC_TRANSPORT_SOCKET_LISTENER_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/permissions.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
class HandshakeSet;
}  // namespace internal

struct SocketListenerOptions {
  // Who may connect, exactly and from the first moment, whatever the umask.
  Permissions permissions = Permissions::kUser;
  // How many connections wait to be accepted; more wait in `SocketPipe::Connect`. The kernel's limit is
  // net.core.somaxconn.
  int backlog = 64;
  // How many clients that have not said yet what they speak are served at once, 1 or more, and for how long. When all
  // places are taken, the one that has had its own longest, and 100 ms at least, loses it to the next.
  int pending = 64;
  absl::Duration handshake_timeout = absl::Seconds(5);
  // Of the pipes that it accepts.
  SocketPipeOptions pipe = {};
};

// Move-only; removes its path when destroyed, if that is still its own. A killed program leaves the path behind, and
// whoever knows that no server lives there removes it. Any thread.
//
//   absl::StatusOr<SocketListener> listener = SocketListener::Listen("/run/mine/socket");
//   absl::StatusOr<std::unique_ptr<SocketPipe>> pipe = listener->Accept(Deadline::Never());
class SocketListener {
 public:
  // INVALID_ARGUMENT: bad options, or a path of more than 107 bytes. ALREADY_EXISTS: something is at `path`; it is left
  // alone. PERMISSION_DENIED, UNAVAILABLE: the folder does not let this process in, or is not there.
  static absl::StatusOr<SocketListener> Listen(absl::string_view path, const SocketListenerOptions& options = {});

  SocketListener(SocketListener&& other) noexcept;
  SocketListener& operator=(SocketListener&& other) = delete;
  ~SocketListener();

  // The next client that has said what it speaks; the others do not delay it. Those that speak something else, or say
  // nothing in time, are dropped, which the log tells. Clients are served while somebody is in this call.
  // DEADLINE_EXCEEDED: none came until `deadline`. RESOURCE_EXHAUSTED: this process has no descriptor for the next one
  // (raise RLIMIT_NOFILE), which stays in the queue; for 100 ms nobody is taken from it, so that a loop does not spin.
  absl::StatusOr<std::unique_ptr<SocketPipe>> Accept(Deadline deadline = Deadline::Default());

  // Readable when `Accept` has something to do, but not always a client for its caller: give it a deadline that has
  // passed.
  FdView fd() const;

 private:
  SocketListener(std::string path, std::unique_ptr<internal::HandshakeSet> clients, uint64_t device, uint64_t inode);

  std::string path_;
  std::unique_ptr<internal::HandshakeSet> clients_;
  // What was made at `path_`, and by whom: a forked child removes nothing.
  uint64_t device_;
  uint64_t inode_;
  pid_t owner_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_SOCKET_LISTENER_H_
