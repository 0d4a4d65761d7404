#include "ipc_transport/internal/handshake_set.h"

#include <poll.h>
#include <sys/epoll.h>

#include "absl/strings/str_cat.h"
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
constexpr uint64_t kFirstPendingKey = 1;

constexpr absl::Duration kGrace = absl::Milliseconds(100);

uint32_t EpollEvents(short poll_events) {
  return ((poll_events & POLLIN) != 0 ? EPOLLIN : 0u) | ((poll_events & POLLOUT) != 0 ? EPOLLOUT : 0u);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HandshakeSet>> HandshakeSet::Create(Fd listener, std::string name,
                                                                   const SocketTerms& terms, const Limits& limits) {
  SLUICE_ASSIGN_OR_RETURN(EventSet events, EventSet::Create());
  SLUICE_RETURN_IF_ERROR(events.Add(listener, EPOLLIN, kListenerKey));
  return std::unique_ptr<HandshakeSet>(
      new HandshakeSet(std::move(listener), std::move(events), std::move(name), terms, limits));
}

HandshakeSet::HandshakeSet(Fd listener, EventSet events, std::string name, const SocketTerms& terms,
                           const Limits& limits)
    : listener_(std::move(listener)),
      name_(std::move(name)),
      terms_(terms),
      limits_(limits),
      events_(std::move(events)),
      fd_(events_.fd()),
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
  for (const uint64_t key : events_.Ready()) {
    const auto entry = pending_.find(key);
    if (entry == pending_.end()) continue;
    AcceptedSocket& client = entry->second.client;
    const absl::StatusOr<bool> done = client.handshake.Advance();
    if (!done.ok()) {
      LogDropped(client.handshake.socket(), done.status());
      Remove(entry);
    } else if (*done) {
      return Remove(entry);
    } else {
      events_.Change(client.handshake.socket(), EpollEvents(client.handshake.events()), key);
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
  const absl::Status watched = events_.Add(client.handshake.socket(), EpollEvents(client.handshake.events()), key);
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
  events_.Remove(client.handshake.socket());
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
  events_.WakeAt(next);
  // Whoever may not come in stays in the queue, and makes nothing ready.
  const uint32_t events = has_grace || paused_until_.has_value() ? 0u : EPOLLIN;
  events_.Change(listener_, events, kListenerKey);
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
