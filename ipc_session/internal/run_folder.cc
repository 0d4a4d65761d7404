#include "ipc_session/internal/run_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr mode_t kPermissionBits = 07777;

bool BelongsToServer(const struct stat& folder, uid_t server_uid) {
  return folder.st_uid == 0 || folder.st_uid == server_uid;
}

// What lies at `path`, not following a link there.
absl::StatusOr<struct stat> LookAt(const std::string& path) {
  const Fd folder(os::Open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));
  const std::string what = absl::StrCat("open run folder ", path);
  if (!folder.valid()) {
    if (errno == ENOENT) return FromErrno(errno, what);
    if (errno == ENOTDIR || errno == ELOOP) {
      return absl::PermissionDeniedError(absl::StrCat(path, " is no folder of its own; remove what lies there"));
    }
    return FromErrno(errno, what);
  }
  struct stat found;
  if (os::Fstat(folder.get(), &found) != 0) return FromErrno(errno, what);
  return found;
}

absl::Status CheckSafe(const std::string& path, const struct stat& folder, uid_t server_uid) {
  if (!BelongsToServer(folder, server_uid)) {
    return absl::PermissionDeniedError(absl::StrCat("run folder ", path, " belongs to uid ", folder.st_uid,
                                                    ", not to root or the server's uid ", server_uid,
                                                    "; remove it, or choose another run_folder"));
  }
  const bool others_write = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (others_write && (folder.st_mode & S_ISVTX) == 0) {
    return absl::PermissionDeniedError(
        absl::StrFormat("run folder %s has mode %04o, so that others could replace what is in it; run chmod go-w %s",
                        path, folder.st_mode & kPermissionBits, path));
  }
  return absl::OkStatus();
}

RunFolder Found(const std::string& path, const struct stat& folder) {
  return {.path = path, .device = folder.st_dev, .inode = folder.st_ino};
}

}  // namespace

std::string RunFolderPath(absl::string_view chosen, uid_t server_uid, const std::string& system_folder) {
  if (!chosen.empty()) return std::string(chosen);
  const absl::StatusOr<struct stat> system = LookAt(system_folder);
  if (system.ok() && BelongsToServer(*system, server_uid)) return system_folder;
  return absl::StrCat("/tmp/sluice-", server_uid);
}

absl::StatusOr<RunFolder> OpenRunFolder(const std::string& path, uid_t server_uid) {
  const absl::StatusOr<struct stat> folder = LookAt(path);
  if (!folder.ok()) {
    const bool missing = folder.status().code() == absl::StatusCode::kUnavailable;
    return missing ? WithReason(folder.status(), Reason::kNoServer) : folder.status();
  }
  SLUICE_RETURN_IF_ERROR(CheckSafe(path, *folder, server_uid));
  return Found(path, *folder);
}

absl::StatusOr<RunFolder> CreateRunFolder(const std::string& path, uid_t server_uid, Permissions permissions) {
  const mode_t needed = RunFolderMode(permissions);
  // The umask can only narrow it; what it took is given back below.
  if (os::Mkdir(path.c_str(), needed) != 0 && errno != EEXIST) {
    return FromErrno(errno, absl::StrCat("make run folder ", path));
  }
  os::Point("session.listen.folder");
  SLUICE_ASSIGN_OR_RETURN(const struct stat folder, LookAt(path));
  SLUICE_RETURN_IF_ERROR(CheckSafe(path, folder, server_uid));
  const mode_t mode = folder.st_mode & kPermissionBits;
  if (folder.st_uid == geteuid() && (mode & needed) != needed) {
    if (os::Chmod(path.c_str(), mode | needed) != 0) {
      return FromErrno(errno, absl::StrCat("set the mode of run folder ", path));
    }
  }
  return Found(path, folder);
}

absl::StatusOr<std::string> SocketPath(absl::string_view folder, absl::string_view app) {
  constexpr size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;
  std::string path = absl::StrCat(folder, "/", app, ".sock");
  if (path.size() > kMaxPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the socket's path ", path, " has ", path.size(), " bytes; at most ",
                                                   kMaxPathBytes, " are possible: choose a shorter run_folder"));
  }
  return path;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
