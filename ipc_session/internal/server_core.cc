#include "ipc_session/internal/server_core.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/run_folder.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr absl::Duration kPauseWithoutDescriptors = absl::Milliseconds(100);

constexpr uint64_t kListenerKey = 0;
constexpr uint64_t kFirstLoginKey = 1;

// How many clients one call takes in, so that it ends however quickly others come.
constexpr int kMostNewAtOnce = 64;

absl::Status Busy(absl::string_view text) { return WithReason(absl::UnavailableError(text), Reason::kLimit); }

}  // namespace

absl::StatusOr<std::unique_ptr<ServerCore>> ServerCore::Listen(ServerSettings settings) {
  const std::string& app = settings.terms.app;
  const std::string folder_path = RunFolderPath(settings.terms.session.run_folder, settings.uid);
  SLUICE_ASSIGN_OR_RETURN(const std::string path, SocketPath(folder_path, app));
  SLUICE_ASSIGN_OR_RETURN(const RunFolder folder, CreateRunFolder(folder_path, settings.uid, settings.permissions));
  SLUICE_ASSIGN_OR_RETURN(ServerLock lock, ServerLock::Acquire(folder, app));
  os::Point("session.listen.locked");
  SLUICE_ASSIGN_OR_RETURN(EventSet events, EventSet::Create());
  SLUICE_ASSIGN_OR_RETURN(std::unique_ptr<ListeningSocket> socket,
                          ListeningSocket::Listen(path, SocketMode(settings.permissions)));
  SLUICE_RETURN_IF_ERROR(events.Add(socket->fd(), EPOLLIN, kListenerKey));
  settings.terms.session.run_folder = folder_path;
  return std::unique_ptr<ServerCore>(
      new ServerCore(std::move(settings), std::move(lock), std::move(socket), std::move(events)));
}

ServerCore::ServerCore(ServerSettings settings, ServerLock lock, std::unique_ptr<ListeningSocket> socket,
                       EventSet events)
    : settings_(std::move(settings)),
      lock_(std::move(lock)),
      socket_(std::move(socket)),
      events_(std::move(events)),
      census_(settings_.sessions),
      places_(settings_.max_pending_logins, settings_.max_pending_logins_per_uid),
      next_key_(kFirstLoginKey) {
  settings_.terms.census = &census_;
}

absl::StatusOr<std::shared_ptr<SessionCore>> ServerCore::Accept(Deadline deadline) {
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<SessionCore> core, TryAccept());
    if (core != nullptr) return core;
    if (deadline.HasPassed()) {
      return absl::DeadlineExceededError(absl::StrCat("no client of server ", settings_.terms.app, " logged in"));
    }
    pollfd poll = {.fd = events_.fd().get(), .events = POLLIN, .revents = 0};
    timespec storage;
    if (os::Poll(&poll, 1, deadline.ToPollTimeout(&storage)) < 0 && errno != EINTR) {
      return FromErrno(errno, "wait for clients");
    }
  }
}

absl::StatusOr<std::shared_ptr<SessionCore>> ServerCore::TryAccept() {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  return TryTake();
}

absl::StatusOr<FdView> ServerCore::wait_fd() const {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  return events_.fd();
}

std::shared_ptr<SessionCore> ServerCore::TryTake() {
  if (door_waits_since_.has_value()) {
    places_.HasWaited(door_->uid(), absl::Nanoseconds(NowNanos() - *door_waits_since_));
    door_waits_since_.reset();
  }
  std::shared_ptr<SessionCore> core = StepReady();
  if (core == nullptr) core = StepDue();
  if (core == nullptr) core = StepNew();
  Rearm(core == nullptr);
  return core;
}

std::shared_ptr<SessionCore> ServerCore::StepReady() {
  for (const uint64_t key : events_.Ready()) {
    const auto login = logins_.find(key);
    if (login == logins_.end()) continue;
    events_.Remove(login->second->socket());
    if (std::shared_ptr<SessionCore> core = Step(login)) return core;
  }
  return nullptr;
}

std::shared_ptr<SessionCore> ServerCore::StepDue() {
  for (auto next = logins_.begin(); next != logins_.end();) {
    const auto login = next++;
    const bool is_watched = login->second->waits_for_client();
    if (is_watched && !login->second->next_step().HasPassed()) continue;
    if (is_watched) events_.Remove(login->second->socket());
    if (std::shared_ptr<SessionCore> core = Step(login)) return core;
  }
  return nullptr;
}

std::shared_ptr<SessionCore> ServerCore::StepNew() {
  for (int i = 0; i < kMostNewAtOnce && MeetNext(); ++i) {
    std::optional<Logins::iterator> login = LetIn();
    if (!login.has_value()) {
      if (places_.PatienceLeft(door_->uid()) > absl::ZeroDuration()) return nullptr;
      EndWaiting();
      login = LetIn();
    }
    if (!login.has_value()) continue;
    if (std::shared_ptr<SessionCore> core = Step(*login)) return core;
  }
  return nullptr;
}

std::shared_ptr<SessionCore> ServerCore::Step(Logins::iterator login) {
  absl::StatusOr<std::shared_ptr<SessionCore>> core = login->second->Step();
  absl::Status watched;
  if (core.ok() && *core == nullptr) {
    if (!login->second->waits_for_client()) return nullptr;
    watched = events_.Add(login->second->socket(), EPOLLIN, login->first);
    if (watched.ok()) return nullptr;
  }
  const absl::Status& failure = core.ok() ? watched : core.status();
  if (!failure.ok()) Refuse(*login->second, failure);
  places_.GiveBack(login->second->uid());
  logins_.erase(login);
  return failure.ok() ? *std::move(core) : nullptr;
}

bool ServerCore::MeetNext() {
  while (door_ == nullptr && listen_again_.HasPassed()) {
    if (!accepted_.valid()) {
      accepted_ = Fd(os::Accept(socket_->fd().get(), SOCK_CLOEXEC));
      if (!accepted_.valid()) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN) Pause(FromErrno(errno, "accept a client"));
        return false;
      }
      os::Point("session.accepted");
    }
    absl::StatusOr<std::unique_ptr<ServerLogin>> login =
        ServerLogin::Start(std::move(accepted_), settings_.terms, Deadline(settings_.login_timeout));
    if (login.ok()) {
      door_ = *std::move(login);
    } else if (absl::IsResourceExhausted(login.status())) {
      Pause(login.status());
    } else {
      LogWarning(absl::StrCat("dropped a client: ", login.status().message()));
      accepted_.Close();
    }
  }
  return door_ != nullptr;
}

void ServerCore::Pause(const absl::Status& why) {
  listen_again_ = Deadline(kPauseWithoutDescriptors);
  Log(LogLevel::kError,
      absl::StrCat("server ", settings_.terms.app, " cannot take clients in for the moment: ", why.message()));
}

std::optional<ServerCore::Logins::iterator> ServerCore::LetIn() {
  if (door_ == nullptr || !places_.TryTake(door_->uid())) return std::nullopt;
  return logins_.emplace(next_key_++, std::move(door_)).first;
}

void ServerCore::EndWaiting() {
  for (auto login = logins_.begin(); login != logins_.end(); ++login) {
    const ServerLogin& silent = *login->second;
    if (!silent.is_silent() || !places_.MustYield(silent.uid(), door_->uid())) continue;
    events_.Remove(silent.socket());
    Refuse(silent, Busy("it has not said hello, and others wait for its place"));
    places_.GiveBack(silent.uid());
    logins_.erase(login);
    return;
  }
  Refuse(*door_, Busy(absl::StrCat("too many logins are under way (max_pending_logins ", settings_.max_pending_logins,
                                   ", max_pending_logins_per_uid ", settings_.max_pending_logins_per_uid, ")")));
  door_.reset();
}

void ServerCore::Refuse(const ServerLogin& login, const absl::Status& why) const {
  if (!login.is_inquiry()) {
    LogWarning(
        absl::StrCat("refused ", login.description(), ": ", why.ToString(absl::StatusToStringMode::kWithNoExtraData)));
  }
  login.Refuse(why);
}

void ServerCore::LogWarning(absl::string_view what) const {
  Log(LogLevel::kWarning, absl::StrCat("server ", settings_.terms.app, " ", what));
}

void ServerCore::Rearm(bool found_nothing) {
  Deadline wake = Deadline::Never();
  for (const auto& [key, login] : logins_) wake = Earlier(wake, login->next_step());
  const bool is_paused = !listen_again_.HasPassed();
  if (is_paused) wake = Earlier(wake, listen_again_);
  if (door_ != nullptr && found_nothing) door_waits_since_ = NowNanos();
  if (door_ != nullptr) {
    // Who was found has left a place.
    wake = Earlier(wake, found_nothing ? places_.PatienceLeft(door_->uid()) : absl::ZeroDuration());
  }
  events_.WakeAt(wake);
  // Whoever is in the queue cannot come in now, and makes nothing ready.
  events_.Change(socket_->fd(), is_paused || door_ != nullptr ? 0u : EPOLLIN, kListenerKey);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
