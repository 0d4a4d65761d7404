// What Sluice logs while a test runs.

#ifndef SLUICE_IPC_SESSION_TESTING_LOG_LINES_H_
#define SLUICE_IPC_SESSION_TESTING_LOG_LINES_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/log.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Collects lines instead of standard error, from construction to destruction. Any thread.
class LogLines : public LogSink {
 public:
  LogLines() { SetLogSink(this); }
  ~LogLines() override { ResetLogSink(); }

  void Write(LogLevel, absl::string_view text) override {
    ipc::internal::MutexLock lock(mutex_);
    lines_.emplace_back(text);
  }

  std::vector<std::string> lines() const {
    ipc::internal::MutexLock lock(mutex_);
    return lines_;
  }

 private:
  mutable ipc::internal::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_LOG_LINES_H_
