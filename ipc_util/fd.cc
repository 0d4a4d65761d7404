#include "ipc_util/fd.h"

#include <fcntl.h>

#include <cerrno>

#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Close();
    number_ = other.Release();
  }
  return *this;
}

void Fd::Close() {
  const int number = Release();
  if (number >= 0) internal::os::Close(number);
}

absl::StatusOr<Fd> Duplicate(FdView fd) {
  const int number = internal::os::Fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (number < 0) return FromErrno(errno, "duplicate a descriptor");
  return Fd(number);
}

}  // namespace sluice_0
}  // namespace ipc
