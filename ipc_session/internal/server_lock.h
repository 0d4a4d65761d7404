// At most one live server per app.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SERVER_LOCK_H_
#define SLUICE_IPC_SESSION_INTERNAL_SERVER_LOCK_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_session/internal/run_folder.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Holds <app>.lock of a run folder by a POSIX lock, which ends with the process and is not inherited by a forked child.
// The file stays for ever: whoever locks it is alone only if it is still the file of that name. Move-only.
class ServerLock {
 public:
  // ALREADY_EXISTS: a live server has it, in this process or another. PERMISSION_DENIED: the file belongs to somebody
  // else, or is no plain file.
  static absl::StatusOr<ServerLock> Acquire(const RunFolder& folder, absl::string_view app);

  ServerLock(ServerLock&&) noexcept;
  ServerLock& operator=(ServerLock&&) = delete;
  ~ServerLock();

 private:
  // Locks of one process never conflict, and any close of a locked file loses the lock. So a process lists its locks,
  // and opens no file that it holds.
  class Claim;

  ServerLock(std::unique_ptr<Claim> claim, Fd file);

  std::unique_ptr<Claim> claim_;  // Outlives the open file.
  Fd file_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SERVER_LOCK_H_
