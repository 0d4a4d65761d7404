#include "ipc_session/internal/session_dispatcher.h"

#include <poll.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/cleanup/cleanup.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A raw channel, whose user receives in a handler.
class ReadyPipe final : public Driven {
 public:
  ReadyPipe(std::weak_ptr<Pipe> pipe, SessionDispatcher::ReadyHandler handler)
      : pipe_(std::move(pipe)), handler_(std::move(handler)) {}

  void DriveBy(absl::AnyInvocable<void()>) override {}  // Nothing but the pipe has news for it.

  absl::StatusOr<bool> DispatchOne(bool) override {
    {
      const std::shared_ptr<Pipe> pipe = pipe_.lock();
      if (pipe == nullptr) return absl::CancelledError("the channel was destroyed");
      if (!pipe->ArmReceiving()) return false;
    }
    if (!handler_()) return absl::CancelledError("the handler wants no more");
    return true;
  }

  Deadline NextTimer() override { return Deadline::Never(); }
  std::shared_ptr<Pipe> pipe() override { return pipe_.lock(); }

 private:
  const std::weak_ptr<Pipe> pipe_;
  SessionDispatcher::ReadyHandler handler_;
};

}  // namespace

SessionDispatcher::SessionDispatcher(std::shared_ptr<Link> link, std::shared_ptr<SessionChannels> channels)
    : link_(std::move(link)), channels_(std::move(channels)) {}

void SessionDispatcher::OnOffer(OfferHandler handler) {
  if (fork_guard_.InForkedChild()) return;
  {
    const MutexLock lock(mutex_);
    on_offer_ = std::make_shared<OfferHandler>(std::move(handler));
  }
  link_->Interrupt();
}

void SessionDispatcher::OnEnd(EndHandler handler) {
  if (fork_guard_.InForkedChild()) return;
  const MutexLock lock(mutex_);
  on_end_ = std::make_shared<EndHandler>(std::move(handler));
}

void SessionDispatcher::OnReady(std::weak_ptr<Pipe> pipe, ReadyHandler handler) {
  auto driven = std::make_shared<ReadyPipe>(std::move(pipe), std::move(handler));
  Add({.driven = driven, .owned = driven});
}

void SessionDispatcher::Drive(std::weak_ptr<Driven> driven) {
  const std::shared_ptr<Driven> channel = driven.lock();
  if (channel == nullptr || channel->pipe() == nullptr || fork_guard_.InForkedChild()) return;
  channel->DriveBy([link = link_] { link->Interrupt(); });
  Add({.driven = std::move(driven), .owned = nullptr});
}

void SessionDispatcher::Add(Entry entry) {
  if (fork_guard_.InForkedChild()) return;
  {
    const MutexLock lock(mutex_);
    entries_.push_back(std::move(entry));
    registrations_.fetch_add(1, std::memory_order_relaxed);
  }
  link_->Interrupt();
}

absl::StatusOr<bool> SessionDispatcher::TryDispatch() { return DispatchOnce(Deadline::Passed()); }

absl::StatusOr<bool> SessionDispatcher::DispatchOnce(Deadline spin_until) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  if (is_dispatching_.exchange(true, std::memory_order_acquire)) {
    return absl::FailedPreconditionError("Dispatch runs already: in another thread, or in the handler that calls it");
  }
  const auto done = absl::MakeCleanup([this] {
    driven_.clear();
    seen_registrations_ = 0;
    is_dispatching_.store(false, std::memory_order_release);
  });
  const auto run = [this] { return RunRound(/*before_sleep=*/false); };
  bool ran = spin_until.HasPassed()
                 ? run()
                 : spinner_.Spin(WaitMode::kAdaptive, spin_until, run, [this] { channels_->Process().IgnoreError(); });
  absl::Status end;
  if (!ran) {
    const absl::StatusOr<bool> prepared = PrepareSleep();
    if (!prepared.ok()) end = prepared.status();
    ran = prepared.ok() && *prepared;
  }
  if (ran && is_quiet_) {
    const MutexLock lock(mutex_);
    loop_event_->Signal();  // There may be more.
    is_quiet_ = false;
  }
  SLUICE_RETURN_IF_ERROR(end);
  return ran;
}

absl::Status SessionDispatcher::DispatchUnless(const std::atomic<bool>& stop, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  SLUICE_ASSIGN_OR_RETURN(const FdView fd, WaitFd());
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const bool ran, DispatchOnce(deadline));
    if (ran || stop.load(std::memory_order_acquire)) return absl::OkStatus();
    if (deadline.HasPassed()) return absl::DeadlineExceededError("nothing came to dispatch in time");
    pollfd poll = {.fd = fd.get(), .events = POLLIN, .revents = 0};
    timespec storage;
    if (os::Poll(&poll, 1, deadline.ToPollTimeout(&storage)) < 0 && errno != EINTR) {
      return FromErrno(errno, "wait for something to dispatch");
    }
  }
}

absl::StatusOr<FdView> SessionDispatcher::WaitFd() {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const MutexLock lock(mutex_);
  if (loop_event_ == nullptr) {
    SLUICE_ASSIGN_OR_RETURN(link_events_, LinkEvents::Create(link_));
    SLUICE_ASSIGN_OR_RETURN(loop_event_, LoopEvent::Create({.fd = link_events_->fd(), .events = POLLIN}));
  }
  SLUICE_RETURN_IF_ERROR(WatchAll());
  return loop_event_->fd();
}

bool SessionDispatcher::RunRound(bool before_sleep) {
  Refresh();
  bool ran = false;
  if (before_sleep || link_->Ticket() != seen_ticket_) ran = RunOffers();
  for (size_t i = 0; i < driven_.size(); ++i) {
    const std::shared_ptr<Driven> driven = driven_[i];  // A handler may register more.
    const absl::StatusOr<bool> result = driven->DispatchOne(before_sleep);
    if (result.ok()) {
      ran = *result || ran;
    } else {
      Forget(*driven);
    }
  }
  return ran;
}

bool SessionDispatcher::RunOffers() {
  seen_ticket_ = link_->Ticket();
  bool ran = false;
  while (true) {
    std::shared_ptr<OfferHandler> handler;
    {
      const MutexLock lock(mutex_);
      handler = on_offer_;
    }
    if (handler == nullptr) return ran;
    std::optional<SessionChannels::Offer> offer = channels_->TryNextOffer();
    if (!offer.has_value()) return ran;
    (*handler)(*std::move(offer));
    ran = true;
  }
}

absl::StatusOr<bool> SessionDispatcher::PrepareSleep() {
  const absl::Status status = channels_->Process();
  {
    const MutexLock lock(mutex_);
    if (loop_event_ != nullptr) {
      link_events_->Quiet();
      loop_event_->Quiet();
      is_quiet_ = true;
      SLUICE_RETURN_IF_ERROR(WatchAll());
    }
  }
  // Channels first: what came before the end is told before it.
  if (RunRound(/*before_sleep=*/true)) return true;
  if (!status.ok()) {
    if (TellEnd(status)) return true;
    return status;
  }
  const Deadline timer = NextTimer();
  const MutexLock lock(mutex_);
  if (loop_event_ != nullptr) loop_event_->SetTimer(timer);
  return false;
}

bool SessionDispatcher::TellEnd(const absl::Status& end) {
  std::shared_ptr<EndHandler> handler;
  {
    const MutexLock lock(mutex_);
    handler = std::exchange(on_end_, nullptr);
  }
  if (handler == nullptr) return false;
  (*handler)(end);
  return true;
}

absl::Status SessionDispatcher::WatchAll() {
  for (Entry& entry : entries_) {
    if (entry.is_watched) continue;
    const std::shared_ptr<Driven> driven = entry.driven.lock();
    const std::shared_ptr<Pipe> pipe = driven == nullptr ? nullptr : driven->pipe();
    if (pipe == nullptr) continue;
    SLUICE_ASSIGN_OR_RETURN(const std::optional<Waitable> waitable, pipe->LoopWaitable());
    if (waitable.has_value()) SLUICE_RETURN_IF_ERROR(loop_event_->Add(*waitable));
    entry.is_watched = true;
  }
  return absl::OkStatus();
}

void SessionDispatcher::Refresh() {
  const uint64_t registrations = registrations_.load(std::memory_order_relaxed);
  if (registrations == seen_registrations_) return;
  seen_registrations_ = registrations;
  driven_.clear();
  std::vector<Entry> gone;  // Destroyed without the lock, as a handler is the user's.
  const MutexLock lock(mutex_);
  for (Entry& entry : entries_) {
    std::shared_ptr<Driven> driven = entry.driven.lock();
    if (driven == nullptr || driven->pipe() == nullptr) {
      gone.push_back(std::move(entry));
      entry.driven.reset();
    } else {
      driven_.push_back(std::move(driven));
    }
  }
  std::erase_if(entries_, [](const Entry& entry) { return entry.driven.expired(); });
}

void SessionDispatcher::Forget(const Driven& driven) {
  std::vector<Entry> gone;  // Destroyed without the lock, as a handler is the user's.
  const MutexLock lock(mutex_);
  const auto found =
      absl::c_find_if(entries_, [&](const Entry& entry) { return entry.driven.lock().get() == &driven; });
  if (found == entries_.end()) return;
  gone.push_back(std::move(*found));
  entries_.erase(found);
  registrations_.fetch_add(1, std::memory_order_relaxed);
}

Deadline SessionDispatcher::NextTimer() {
  Deadline next = link_->NextTimer();
  for (const std::shared_ptr<Driven>& driven : driven_) next = Earlier(next, driven->NextTimer());
  return next;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
