#include "perf_demo/write_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"

namespace cache_demo {

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? ipc::FromErrno(error.value(), absl::StrCat("make folder ", path)) : absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, absl::string_view content) {
  const std::string what = absl::StrCat("write file ", path);
  const ipc::Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return ipc::FromErrno(errno, what);
  while (!content.empty()) {
    const ssize_t bytes = write(file.get(), content.data(), content.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return ipc::FromErrno(errno, what);
    content.remove_prefix(bytes);
  }
  return absl::OkStatus();
}

}  // namespace cache_demo
