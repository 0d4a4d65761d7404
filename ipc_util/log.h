// Where Sluice's few log lines go. Nothing is logged on a hot path, and nothing that a peer sent is logged whole.

#ifndef SLUICE_IPC_UTIL_LOG_H_
#define SLUICE_IPC_UTIL_LOG_H_

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Receives lines of `minimum_level` and above, from any thread, several at once. `text` has no line feed and is gone
// after the call. Must not call Sluice.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(LogLevel level, absl::string_view text) = 0;
};

// Sends lines to `sink`, which must outlive its use; nullptr switches logging off. Until called: warnings and errors go
// to standard error.
void SetLogSink(LogSink* sink, LogLevel minimum_level = LogLevel::kInfo);

// Puts back what `SetLogSink` replaced at the start: warnings and errors on standard error.
void ResetLogSink();

// Writes a line, for Sluice's own layers: `Log(LogLevel::kWarning, absl::StrCat(...))`. Ask `LogEnabled` first where
// building the text costs.
void Log(LogLevel level, absl::string_view text);
bool LogEnabled(LogLevel level);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_LOG_H_
