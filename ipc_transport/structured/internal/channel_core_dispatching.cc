// How a structured channel runs handlers and callbacks.

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

void ChannelCore::On(uint16_t type, MessageHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  handlers_.On(type, std::move(handler));
  WakeAll();
}

void ChannelCore::Once(uint16_t type, MessageHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  handlers_.Once(type, std::move(handler));
  WakeAll();
}

void ChannelCore::OnOther(MessageHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  handlers_.OnOther(std::move(handler));
  WakeAll();
}

void ChannelCore::OnEnd(EndHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  on_end_ = std::move(handler);
  WakeAll();
}

absl::StatusOr<FdView> ChannelCore::EventFd() {
  SLUICE_RETURN_IF_ERROR(EndStatus());
  const MutexLock lock(mutex_);
  if (event_ == nullptr) {
    SLUICE_ASSIGN_OR_RETURN(const Waitable waitable, pipe_->ReceiveWaitable());
    SLUICE_ASSIGN_OR_RETURN(event_, LoopEvent::Create(waitable));
  }
  return event_->fd();
}

absl::Status ChannelCore::Dispatch(Deadline deadline) {
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const bool ran, TryDispatch());
    if (ran) return absl::OkStatus();  // A handler may have destroyed the channel.
    const MutexLock lock(mutex_);
    Sleeper me = {.want = Want::kEvent};
    const absl::Status status = PumpUntil(me, Earlier(deadline, NextExpiry()));
    if (absl::IsDeadlineExceeded(status) && deadline.HasPassed()) return status;
  }
}

void ChannelCore::DriveBy(absl::AnyInvocable<void()> wake) {
  const MutexLock lock(mutex_);
  wake_session_ = std::move(wake);
}

absl::StatusOr<bool> ChannelCore::TryDispatch() { return RunOne(/*arms_pipe=*/false); }

absl::StatusOr<bool> ChannelCore::DispatchOne(bool before_sleep) { return RunOne(/*arms_pipe=*/before_sleep); }

absl::StatusOr<bool> ChannelCore::RunOne(bool arms_pipe) {
  const std::shared_ptr<ChannelCore> self = shared_from_this();  // A handler may destroy the channel.
  // Acquire and release: what the dispatcher before did is seen.
  if (is_dispatching_.exchange(true, std::memory_order_acquire)) {
    return absl::FailedPreconditionError("Dispatch runs already: in another thread, or in the handler that calls it");
  }
  const auto done = absl::MakeCleanup([this] { is_dispatching_.store(false, std::memory_order_release); });
  Event event;
  {
    const MutexLock lock(mutex_);
    for (uint32_t records = 0; records < kRecordsPerClock; ++records) {
      SLUICE_RETURN_IF_ERROR(EndStatus());
      event = NextEvent();
      if (event) break;
      if (!receive_end_.ok()) return receive_end_;
      if (event_ != nullptr) event_->Quiet();  // Before the last look.
      dispatcher_reads_ = true;
      const absl::StatusOr<bool> pumped = TryPump();
      dispatcher_reads_ = false;
      if (!pumped.ok() || *pumped) continue;
      event = NextEvent();  // What another thread has filed meanwhile.
      if (event) break;
      if (arms_pipe && CameBeforeArmed()) continue;
      if (event_ != nullptr) event_->SetTimer(NextTimerLocked());
      break;
    }
  }
  FlushControls();
  if (!event) return false;
  event();
  return true;
}

bool ChannelCore::HasEvent() {
  if (is_judging_) return false;
  return !ready_.empty() || inbox_.HasHandled(handlers_) ||
         (!expiries_.empty() && expiries_.begin()->first.HasPassed());
}

ChannelCore::Event ChannelCore::NextEvent() {
  if (is_judging_) return nullptr;
  ExpireRequests();
  inbox_.DropFailed();
  if (!ready_.empty()) {
    const AsyncRequest request = std::move(ready_.front());
    ready_.pop_front();
    return EventOf(request);
  }
  IncomingMessage::Ptr message;
  if (Handlers::Shared handler = inbox_.PopHandled(handlers_, message)) {
    if (inbox_.OwesCredit()) controls_due_.store(true, std::memory_order_seq_cst);
    return [handler = std::move(handler), message = HandOut(std::move(message))]() mutable {
      (*handler)(std::move(message));
    };
  }
  if (!receive_end_.ok() && on_end_) {
    return [on_end = std::exchange(on_end_, nullptr), status = receive_end_]() mutable { on_end(status); };
  }
  return nullptr;
}

ChannelCore::Event ChannelCore::EventOf(const AsyncRequest& request) {
  request->is_ready = false;
  absl::StatusOr<IncomingMessage::Ptr> answer = *request->Take();
  const bool is_error = !answer.ok();
  const bool is_over = is_error || (request->answers.empty() && request->is_complete);
  if (is_over) {
    pending_.Remove(*request);
    async_.erase(request.get());
    if (request->expiry.has_value()) expiries_.erase(*request->expiry);
  } else if (request->has_news()) {
    MakeReady(*request);
  }
  if (!is_error) answer = HandOut(*std::move(answer));
  return [request, answer = std::move(answer)]() mutable { request->on_answer(std::move(answer)); };
}

void ChannelCore::ExpireRequests() {
  while (!expiries_.empty() && expiries_.begin()->first.HasPassed()) {
    PendingRequest& request = *expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    request.expiry.reset();
    if (request.is_over()) continue;
    pending_.Remove(request);
    request.end = absl::DeadlineExceededError(absl::StrCat("no answer to request ", request.id, " came in time"));
    MakeReady(request);
  }
}

void ChannelCore::EndRequests() {
  for (const auto& [request, shared] : async_) {
    if (request->is_over()) continue;
    pending_.Remove(*request);
    request->end = receive_end_;
    MakeReady(*request);
  }
}

void ChannelCore::MakeReady(PendingRequest& request) {
  if (!request.on_answer || request.is_ready) return;
  const auto entry = async_.find(&request);
  if (entry == async_.end()) return;
  request.is_ready = true;
  ready_.push_back(entry->second);
  SignalEvent();
}

void ChannelCore::SignalEvent() {
  if (!dispatcher_reads_) SignalLoop();
}

void ChannelCore::SignalLoop() {
  if (event_ != nullptr) event_->Signal();
  if (wake_session_) wake_session_();
}

bool ChannelCore::CameBeforeArmed() {
  if (is_read_) return false;  // Whoever reads it wakes the session with what is for it.
  is_read_ = true;
  mutex_.Unlock();
  const bool came = pipe_->ArmReceiving();
  mutex_.Lock();
  is_read_ = false;
  PassReading();
  return came;
}

Deadline ChannelCore::NextTimer() {
  const MutexLock lock(mutex_);
  return NextTimerLocked();
}

Deadline ChannelCore::NextTimerLocked() {
  const bool is_due = controls_due_.load(std::memory_order_relaxed);  // A hint: when to look again.
  return is_due ? Earlier(NextExpiry(), kControlTick) : NextExpiry();
}

Deadline ChannelCore::NextExpiry() { return expiries_.empty() ? Deadline::Never() : expiries_.begin()->first; }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
