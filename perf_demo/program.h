// Another program, run as a child process and listened to.

#ifndef SLUICE_PERF_DEMO_PROGRAM_H_
#define SLUICE_PERF_DEMO_PROGRAM_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace cache_demo {

// From now on SIGINT and SIGTERM do not end this process: waiting calls of `Program` return CANCELLED instead.
void TurnSignalsIntoStatus();

// Owns the process: it is killed and reaped when this is destroyed, and killed when this process dies. Move-only; one
// thread, the one that lives longest.
class Program {
 public:
  // Runs the executable at `path`, or of that name on PATH if it has no slash; on `processor` alone, if one is given.
  static absl::StatusOr<Program> Start(const std::string& path, const std::vector<std::string>& arguments,
                                       std::optional<int> processor = std::nullopt);

  Program(Program&& other) noexcept;
  Program& operator=(Program&&) = delete;
  ~Program();

  pid_t pid() const { return pid_; }

  // The next line that it writes to its standard output, without the line feed; nullopt: it has closed it.
  absl::StatusOr<std::optional<std::string>> ReadLine(ipc::Deadline deadline);

  // OK: it has ended with exit code 0. ABORTED: with another, or by a signal; the text has that and what it wrote to
  // its standard error. UNAVAILABLE: there is no such program. DEADLINE_EXCEEDED: it has not ended.
  absl::Status Wait(ipc::Deadline deadline);

  // What it has written to its standard error so far.
  std::string errors() const;

 private:
  Program(std::string name, pid_t pid, ipc::Fd output, ipc::Fd errors)
      : name_(std::move(name)), pid_(pid), output_(std::move(output)), errors_(std::move(errors)) {}

  std::string name_;  // Without folders.
  pid_t pid_;         // -1: reaped, or moved from.
  ipc::PidFd process_;
  ipc::Fd output_;
  ipc::Fd errors_;
  std::string unread_;  // Output behind the last line.
  absl::Status end_;    // Once reaped.
};

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_PROGRAM_H_
