// The folder of one run of the demo, for its server's socket.

#ifndef SLUICE_PERF_DEMO_RUN_FOLDER_H_
#define SLUICE_PERF_DEMO_RUN_FOLDER_H_

#include <string>

#include "absl/status/statusor.h"
#include "ipc_util/fd.h"

namespace cache_demo {

// Removed with what is in it when this is destroyed; if the process is killed, by the next run. Move-only; one thread.
class RunFolder {
 public:
  // Makes a folder in `parent`, and removes those of this user's that runs left there which were killed.
  static absl::StatusOr<RunFolder> Create(const std::string& parent);

  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  const std::string& path() const { return path_; }

 private:
  RunFolder(std::string path, ipc::Fd lock);

  std::string path_;  // Empty: moved from.
  ipc::Fd lock_;      // Held while it is in use.
};

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_RUN_FOLDER_H_
