#include "ipc_util/log.h"

#include <cstdio>

#include "absl/base/thread_annotations.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

class StderrSink final : public LogSink {
 public:
  void Write(LogLevel level, absl::string_view text) override {
    std::fprintf(stderr, "sluice: %s%.*s\n", level == LogLevel::kError ? "error: " : "", static_cast<int>(text.size()),
                 text.data());
  }
};

LogSink* DefaultSink() {
  static StderrSink* const sink = new StderrSink;
  return sink;
}

struct State {
  internal::Mutex mutex;
  LogSink* sink ABSL_GUARDED_BY(mutex) = DefaultSink();
  LogLevel minimum ABSL_GUARDED_BY(mutex) = LogLevel::kWarning;
};

State& GlobalState() {
  static State* const state = new State;
  return *state;
}

}  // namespace

void SetLogSink(LogSink* sink, LogLevel minimum_level) {
  State& state = GlobalState();
  internal::MutexLock lock(state.mutex);
  state.sink = sink;
  state.minimum = minimum_level;
}

void ResetLogSink() { SetLogSink(DefaultSink(), LogLevel::kWarning); }

void Log(LogLevel level, absl::string_view text) {
  State& state = GlobalState();
  internal::MutexLock lock(state.mutex);
  if (state.sink != nullptr && level >= state.minimum) state.sink->Write(level, text);
}

bool LogEnabled(LogLevel level) {
  State& state = GlobalState();
  internal::MutexLock lock(state.mutex);
  return state.sink != nullptr && level >= state.minimum;
}

}  // namespace sluice_0
}  // namespace ipc
