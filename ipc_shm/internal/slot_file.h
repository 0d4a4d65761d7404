// The file beside a server's socket that says who has which addresses for arenas that outlive sessions.

#ifndef SLUICE_IPC_SHM_INTERNAL_SLOT_FILE_H_
#define SLUICE_IPC_SHM_INTERNAL_SLOT_FILE_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Slots of the window of equal addresses, held until it is destroyed or its process ends. A forked child's copy holds
// them too, until it is destroyed or that process ends. Move-only.
class SlotLock {
 public:
  // Holds `count` slots from `first` on in the name of `owner`. The file is `folder`/slots.<own uid>, and stays.
  // ALREADY_EXISTS: somebody has one of them; the text has both names. PERMISSION_DENIED: the file is somebody else's,
  // or no plain file.
  static absl::StatusOr<SlotLock> Acquire(const std::string& folder, size_t first, size_t count,
                                          absl::string_view owner);

 private:
  explicit SlotLock(Fd file) : file_(std::move(file)) {}

  Fd file_;  // The locks belong to this open file.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_SLOT_FILE_H_
