#include "ipc_shm/internal/slot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/permissions.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Each slot has a line of this many bytes, with the name of whoever has it, or had it last.
constexpr size_t kLineBytes = 128;

absl::StatusOr<Fd> OpenSlotFile(const std::string& path) {
  Fd file(os::Open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, PrivateFileMode()));
  if (!file.valid()) return FromErrno(errno, absl::StrCat("open slot file ", path));
  struct stat found;
  if (os::Fstat(file.get(), &found) != 0) return FromErrno(errno, absl::StrCat("look at slot file ", path));
  if (!S_ISREG(found.st_mode) || found.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(path, " is no plain file of uid ", geteuid(), "; remove it"));
  }
  return file;
}

struct flock LockOf(size_t first, size_t count) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(first * kLineBytes);
  lock.l_len = static_cast<off_t>(count * kLineBytes);
  return lock;
}

// Of the line that begins at `offset`; a name for people.
std::string NameAt(const Fd& file, off_t offset) {
  std::string line(kLineBytes, '\0');
  const ssize_t bytes = os::Pread(file.get(), line.data(), line.size(), offset);
  line.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
  line.resize(std::min(line.find_first_of(std::string("\n\0", 2)), line.size()));
  const bool is_printable = std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return line.empty() || !is_printable ? "another arena" : line;
}

}  // namespace

absl::StatusOr<SlotLock> SlotLock::Acquire(const std::string& folder, size_t first, size_t count,
                                           absl::string_view owner) {
  const std::string path = absl::StrCat(folder, "/slots.", geteuid());
  SLUICE_ASSIGN_OR_RETURN(Fd file, OpenSlotFile(path));
  struct flock lock = LockOf(first, count);
  if (os::FcntlLock(file.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return FromErrno(errno, absl::StrCat("lock slots in ", path));
    struct flock holder = LockOf(first, count);
    const bool known = os::FcntlLock(file.get(), F_OFD_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
    return absl::AlreadyExistsError(absl::StrCat("the addresses of ", owner, " are taken by ",
                                                 known ? NameAt(file, holder.l_start) : "another arena", " (", path,
                                                 ")"));
  }
  std::string line(owner.substr(0, kLineBytes - 1));
  line.resize(kLineBytes, '\n');
  if (os::Pwrite(file.get(), line.data(), line.size(), static_cast<off_t>(first * kLineBytes)) < 0) {
    return FromErrno(errno, absl::StrCat("write into slot file ", path));
  }
  return SlotLock(std::move(file));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
