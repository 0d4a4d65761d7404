#include "ipc_session/dispatch_thread.h"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/internal/mutex.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {

using internal::MutexLock;

// Shared by the handle and the thread.
class DispatchThread::State {
 public:
  explicit State(std::shared_ptr<internal::SessionCore> core) : core_(std::move(core)) {}

  static absl::Status Start(const std::shared_ptr<State>& self) {
    auto own = std::make_unique<std::shared_ptr<State>>(self);
    const int error = pthread_create(&self->thread_, nullptr, &State::Main, own.get());
    if (error == EAGAIN) {
      return absl::ResourceExhaustedError(
          "no thread to drive a session with: raise RLIMIT_NPROC (ulimit -u) or kernel.threads-max");
    }
    if (error != 0) return FromErrno(error, "start a thread that drives a session");
    (void)own.release();  // The thread's.
    return absl::OkStatus();
  }

  void Stop() {
    if (fork_guard_.InForkedChild()) return;
    stop_.store(true, std::memory_order_release);  // Pairs with `Run`.
    core_->dispatcher().Wake();
    if (pthread_equal(pthread_self(), thread_) != 0) {
      pthread_detach(thread_);
    } else {
      pthread_join(thread_, nullptr);
    }
  }

  absl::Status status() const {
    const MutexLock lock(mutex_);
    return status_;
  }

 private:
  static void* Main(void* argument) {
    const std::unique_ptr<std::shared_ptr<State>> self(static_cast<std::shared_ptr<State>*>(argument));
    (*self)->Run();
    return nullptr;
  }

  void Run() {
    absl::Status status;
    while (status.ok() && !stop_.load(std::memory_order_acquire)) {  // Pairs with `Stop`.
      status = core_->dispatcher().DispatchUnless(stop_, Deadline::Never());
    }
    const MutexLock lock(mutex_);
    status_ = status.ok() ? absl::CancelledError("the thread was stopped") : status;
  }

  const internal::ForkGuard fork_guard_;
  const std::shared_ptr<internal::SessionCore> core_;
  std::atomic<bool> stop_{false};
  pthread_t thread_ = {};

  mutable internal::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<DispatchThread> DispatchThread::Start(Session& session) {
  SLUICE_RETURN_IF_ERROR(session.wait_fd().status());
  const auto state = std::make_shared<State>(session.core_);
  SLUICE_RETURN_IF_ERROR(State::Start(state));
  return DispatchThread(state);
}

DispatchThread::DispatchThread(std::shared_ptr<State> state) : state_(std::move(state)) {}
DispatchThread::DispatchThread(DispatchThread&&) noexcept = default;

DispatchThread& DispatchThread::operator=(DispatchThread&& other) noexcept {
  if (this != &other) {
    if (state_ != nullptr) state_->Stop();
    state_ = std::move(other.state_);
  }
  return *this;
}

DispatchThread::~DispatchThread() {
  if (state_ != nullptr) state_->Stop();
}

absl::Status DispatchThread::status() const { return state_->status(); }

}  // namespace sluice_0
}  // namespace ipc
