#include "ipc_transport/internal/handshake_set.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/epoll.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/credentials.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint64_t kListenerKey = 0;
constexpr uint64_t kTimerKey = 1;
constexpr uint64_t kFirstPendingKey = 2;

constexpr absl::Duration kGrace = absl::Milliseconds(100);

// What is watched already, for other events.
void WatchFor(FdView epoll, FdView fd, uint32_t events, uint64_t key) {
  epoll_event event = {.events = events, .data = {.u64 = key}};
  os::EpollCtl(epoll.get(), EPOLL_CTL_MOD, fd.get(), &event);
}

uint32_t EpollEvents(short poll_events) {
  return ((poll_events & POLLIN) != 0 ? EPOLLIN : 0u) | ((poll_events & POLLOUT) != 0 ? EPOLLOUT : 0u);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HandshakeSet>> HandshakeSet::Create(Fd listener, std::string name,
                                                                   const SocketTerms& terms, const Limits& limits) {
  SLUICE_ASSIGN_OR_RETURN(Fd epoll, MakeEpoll());
  Fd timer(os::TimerFd(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FromErrno(errno, "make a timer");
  SLUICE_RETURN_IF_ERROR(Watch(epoll, listener, EPOLLIN, kListenerKey));
  SLUICE_RETURN_IF_ERROR(Watch(epoll, timer, EPOLLIN, kTimerKey));
  return std::unique_ptr<HandshakeSet>(
      new HandshakeSet(std::move(listener), std::move(epoll), std::move(timer), std::move(name), terms, limits));
}

HandshakeSet::HandshakeSet(Fd listener, Fd epoll, Fd timer, std::string name, const SocketTerms& terms,
                           const Limits& limits)
    : listener_(std::move(listener)),
      epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      name_(std::move(name)),
      terms_(terms),
      limits_(limits),
      next_key_(kFirstPendingKey) {}

absl::StatusOr<std::optional<AcceptedSocket>> HandshakeSet::TryTake() {
  MutexLock lock(mutex_);
  absl::StatusOr<std::optional<AcceptedSocket>> taken = TryTakeLocked();
  Rearm();
  return taken;
}

absl::StatusOr<std::optional<AcceptedSocket>> HandshakeSet::TryTakeLocked() {
  if (std::optional<AcceptedSocket> done = AdvancePending()) return done;
  DropLate();
  return AcceptNew();
}

std::optional<AcceptedSocket> HandshakeSet::AdvancePending() {
  std::array<epoll_event, 64> events;
  const int count = os::EpollWait(epoll_.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i) {
    const auto entry = pending_.find(events[i].data.u64);
    if (entry == pending_.end()) continue;
    AcceptedSocket& client = entry->second.client;
    const absl::StatusOr<bool> done = client.handshake.Advance();
    if (!done.ok()) {
      LogDropped(client.handshake.socket(), done.status());
      Remove(entry);
    } else if (*done) {
      return Remove(entry);
    } else {
      WatchFor(epoll_, client.handshake.socket(), EpollEvents(client.handshake.events()), entry->first);
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<AcceptedSocket>> HandshakeSet::AcceptNew() {
  if (paused_until_.has_value() && !paused_until_->HasPassed()) return std::nullopt;
  paused_until_.reset();
  while (MakePlace()) {
    absl::StatusOr<AcceptedSocket> client = AcceptOne();
    if (absl::IsDeadlineExceeded(client.status())) break;
    if (!client.ok()) {
      paused_until_ = Deadline(kPause);
      return client.status();
    }
    const absl::StatusOr<bool> done = client->handshake.Advance();
    if (!done.ok()) {
      LogDropped(client->handshake.socket(), done.status());
    } else if (*done) {
      return *std::move(client);
    } else {
      AddPending(*std::move(client));
    }
  }
  return std::nullopt;
}

absl::StatusOr<AcceptedSocket> HandshakeSet::AcceptOne() {
  while (true) {
    if (!accepted_.valid()) {
      SLUICE_ASSIGN_OR_RETURN(accepted_, AcceptFrom(listener_, Deadline::Passed()));
    }
    absl::StatusOr<PidFd> process = PidFd::OfPeer(accepted_);
    if (absl::IsResourceExhausted(process.status())) return process.status();
    if (process.ok()) {
      SLUICE_ASSIGN_OR_RETURN(SocketHandshake handshake, SocketHandshake::Create(std::move(accepted_), terms_));
      return AcceptedSocket{.handshake = std::move(handshake), .process = *std::move(process)};
    }
    LogDropped(accepted_, process.status());
    accepted_.Close();
  }
}

void HandshakeSet::AddPending(AcceptedSocket client) {
  const uint64_t key = next_key_++;
  const absl::Status watched = Watch(epoll_, client.handshake.socket(), EpollEvents(client.handshake.events()), key);
  if (!watched.ok()) {
    LogDropped(client.handshake.socket(), watched);
    return;
  }
  const Deadline deadline = limits_.timeout;
  pending_.emplace(key, Pending{.client = std::move(client), .grace = Earlier(deadline, kGrace), .deadline = deadline});
}

void HandshakeSet::DropLate() {
  while (!pending_.empty() && pending_.begin()->second.deadline.HasPassed()) {
    LogDropped(pending_.begin()->second.client.handshake.socket(),
               absl::DeadlineExceededError("it did not say in time what it speaks"));
    Remove(pending_.begin());
  }
}

AcceptedSocket HandshakeSet::Remove(std::map<uint64_t, Pending>::iterator entry) {
  AcceptedSocket client = std::move(entry->second.client);
  // Closing it would not do: who has it from now on keeps it open, or a forked child its copy.
  os::EpollCtl(epoll_.get(), EPOLL_CTL_DEL, client.handshake.socket().get(), nullptr);
  pending_.erase(entry);
  return client;
}

bool HandshakeSet::MakePlace() {
  if (pending_.size() < limits_.pending) return true;
  const Pending& oldest = pending_.begin()->second;
  if (!oldest.grace.HasPassed()) return false;
  pollfd poll = {.fd = listener_.get(), .events = POLLIN, .revents = 0};
  const timespec now = {};
  if (!accepted_.valid() && os::Poll(&poll, 1, &now) != 1) return false;
  LogDropped(oldest.client.handshake.socket(),
             absl::ResourceExhaustedError("it did not say yet what it speaks, and others wait"));
  Remove(pending_.begin());
  return true;
}

void HandshakeSet::Rearm() {
  const bool is_full = pending_.size() >= limits_.pending;
  const bool has_grace = is_full && !pending_.begin()->second.grace.HasPassed();
  Deadline next = Deadline::Never();
  if (!pending_.empty()) next = Earlier(next, pending_.begin()->second.deadline);
  if (has_grace) next = Earlier(next, pending_.begin()->second.grace);
  if (paused_until_.has_value()) next = Earlier(next, *paused_until_);
  itimerspec time = {};  // Zero: never.
  if (!next.never()) time.it_value = absl::ToTimespec(std::max(next.Remaining(), absl::Nanoseconds(1)));
  os::TimerFdSet(timer_.get(), 0, &time);
  // Whoever may not come in stays in the queue, and makes nothing ready.
  const uint32_t events = has_grace || paused_until_.has_value() ? 0u : EPOLLIN;
  WatchFor(epoll_, listener_, events, kListenerKey);
}

void HandshakeSet::LogDropped(FdView socket, const absl::Status& why) const {
  if (!LogEnabled(LogLevel::kWarning)) return;
  const absl::StatusOr<Credentials> peer = PeerCredentials(socket);
  Log(LogLevel::kWarning, absl::StrCat("dropped a connection to ", name_, " from ",
                                       peer.ok() ? ToString(*peer) : "somebody", ": ", why.message()));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
