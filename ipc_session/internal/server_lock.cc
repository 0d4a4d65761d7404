#include "ipc_session/internal/server_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/permissions.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Folder by device and inode, app, and the process: a forked child holds nothing of what its copy of the list says.
using LockKey = std::tuple<uint64_t, uint64_t, std::string, pid_t>;

struct Held {
  Mutex mutex;
  std::set<LockKey> keys ABSL_GUARDED_BY(mutex);
};

Held& HeldLocks() {
  static Held* const held = new Held;  // Lives as long as the process: a static server may be destroyed late.
  return *held;
}

absl::Status AlreadyLive(absl::string_view app, absl::string_view holder) {
  return absl::AlreadyExistsError(absl::StrCat("a live server of app ", app, " exists: ", holder));
}

absl::StatusOr<Fd> OpenLockFile(const std::string& path) {
  // Not blocking: a FIFO may have been put there.
  Fd file(os::Open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, PrivateFileMode()));
  const std::string what = absl::StrCat("open lock file ", path);
  if (!file.valid()) {
    if (errno == EISDIR || errno == ELOOP || errno == ENXIO) {
      return absl::PermissionDeniedError(absl::StrCat(path, " is no plain file; remove it"));
    }
    return FromErrno(errno, what);
  }
  struct stat found;
  if (os::Fstat(file.get(), &found) != 0) return FromErrno(errno, what);
  if (!S_ISREG(found.st_mode) || found.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(path, " is no plain file of uid ", geteuid(), " (its owner is uid ",
                                                    found.st_uid, "); remove it"));
  }
  if (os::Fchmod(file.get(), PrivateFileMode()) != 0) {
    return FromErrno(errno, absl::StrCat("set the mode of lock file ", path));
  }
  return file;
}

absl::Status Lock(const Fd& file, absl::string_view app, const std::string& path) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (os::FcntlLock(file.get(), F_SETLK, &lock) == 0) return absl::OkStatus();
  if (errno != EAGAIN && errno != EACCES) return FromErrno(errno, absl::StrCat("lock ", path));
  struct flock holder = lock;
  const bool known = os::FcntlLock(file.get(), F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
  return AlreadyLive(app,
                     absl::StrCat(known ? absl::StrCat("process ", holder.l_pid) : "another process", " holds ", path));
}

// Whether `file` is still what `path` names.
absl::StatusOr<bool> IsStillAt(const Fd& file, const std::string& path) {
  struct stat opened, named;
  if (os::Fstat(file.get(), &opened) != 0) return FromErrno(errno, absl::StrCat("look at ", path));
  if (os::Stat(path.c_str(), &named) != 0) {
    if (errno == ENOENT) return false;
    return FromErrno(errno, absl::StrCat("look at ", path));
  }
  return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

class ServerLock::Claim {
 public:
  // Null: this process has it already.
  static std::unique_ptr<Claim> Make(LockKey key) {
    Held& held = HeldLocks();
    MutexLock lock(held.mutex);
    if (!held.keys.insert(key).second) return nullptr;
    return std::unique_ptr<Claim>(new Claim(std::move(key)));
  }

  ~Claim() {
    Held& held = HeldLocks();
    MutexLock lock(held.mutex);
    held.keys.erase(key_);
  }

 private:
  explicit Claim(LockKey key) : key_(std::move(key)) {}

  const LockKey key_;
};

absl::StatusOr<ServerLock> ServerLock::Acquire(const RunFolder& folder, absl::string_view app) {
  std::unique_ptr<Claim> claim = Claim::Make(LockKey(folder.device, folder.inode, std::string(app), getpid()));
  if (claim == nullptr) return AlreadyLive(app, "this process has one");
  const std::string path = absl::StrCat(folder.path, "/", app, ".lock");
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    SLUICE_ASSIGN_OR_RETURN(Fd file, OpenLockFile(path));
    os::Point("session.listen.lock_opened");
    SLUICE_RETURN_IF_ERROR(Lock(file, app, path));
    SLUICE_ASSIGN_OR_RETURN(const bool still_there, IsStillAt(file, path));
    if (still_there) return ServerLock(std::move(claim), std::move(file));
  }
  return absl::UnavailableError(absl::StrCat("lock file ", path, " is removed again and again; let it be"));
}

ServerLock::ServerLock(std::unique_ptr<Claim> claim, Fd file) : claim_(std::move(claim)), file_(std::move(file)) {}
ServerLock::ServerLock(ServerLock&&) noexcept = default;
ServerLock::~ServerLock() = default;

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
