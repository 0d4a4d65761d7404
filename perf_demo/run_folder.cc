#include "perf_demo/run_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_util/status.h"

namespace cache_demo {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kPrefix = "perf_demo-";

// The folder's lock; none if another has it, or the folder is gone or not this user's.
ipc::Fd Lock(const std::string& path) {
  ipc::Fd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  if (!folder.valid() || flock(folder.get(), LOCK_EX | LOCK_NB) != 0 || fstat(folder.get(), &status) != 0) return {};
  // Without links: another has removed it meanwhile.
  const bool is_ours = status.st_uid == geteuid() && status.st_nlink > 0;
  return is_ours ? std::move(folder) : ipc::Fd();
}

void Remove(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void RemoveAbandoned(const std::string& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
    if (!absl::StartsWith(entry->path().filename().string(), kPrefix)) continue;
    if (const ipc::Fd lock = Lock(entry->path().string()); lock.valid()) Remove(entry->path().string());
  }
}

}  // namespace

absl::StatusOr<RunFolder> RunFolder::Create(const std::string& parent) {
  RemoveAbandoned(parent);
  while (true) {
    std::string path = absl::StrCat(parent, "/", kPrefix, "XXXXXX");
    if (mkdtemp(path.data()) == nullptr) return ipc::FromErrno(errno, absl::StrCat("make folder ", path));
    // Another run that looks for abandoned ones may have come before.
    if (ipc::Fd lock = Lock(path); lock.valid()) return RunFolder(std::move(path), std::move(lock));
  }
}

RunFolder::RunFolder(std::string path, ipc::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")), lock_(std::move(other.lock_)) {}

RunFolder::~RunFolder() {
  if (!path_.empty()) Remove(path_);
}

}  // namespace cache_demo
