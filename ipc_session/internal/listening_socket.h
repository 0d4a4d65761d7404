// The socket at which a server listens, the one name that it has in the system.

#ifndef SLUICE_IPC_SESSION_INTERNAL_LISTENING_SOCKET_H_
#define SLUICE_IPC_SESSION_INTERNAL_LISTENING_SOCKET_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Non-blocking, SEQPACKET. Its name goes with the object, unless a forked child destroys its copy.
class ListeningSocket {
 public:
  // Puts a socket of exactly `mode` at `path`, at no moment a wider one; removes what a dead server left there. The
  // caller holds the server's lock. PERMISSION_DENIED: what is there belongs to somebody else.
  static absl::StatusOr<std::unique_ptr<ListeningSocket>> Listen(const std::string& path, mode_t mode);

  ListeningSocket(const ListeningSocket&) = delete;
  ~ListeningSocket();

  FdView fd() const { return socket_; }

 private:
  ListeningSocket(std::string path, Fd socket);

  const std::string path_;
  const Fd socket_;
  const pid_t owner_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_LISTENING_SOCKET_H_
