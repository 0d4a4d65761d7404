#include "ipc_session/internal/server_core.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/run_folder.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr absl::Duration kPauseWithoutDescriptors = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<std::unique_ptr<ServerCore>> ServerCore::Listen(ServerSettings settings) {
  const std::string& app = settings.terms.app;
  const std::string folder_path = RunFolderPath(settings.terms.session.run_folder, settings.uid);
  SLUICE_ASSIGN_OR_RETURN(const std::string path, SocketPath(folder_path, app));
  SLUICE_ASSIGN_OR_RETURN(const RunFolder folder, CreateRunFolder(folder_path, settings.uid, settings.permissions));
  SLUICE_ASSIGN_OR_RETURN(ServerLock lock, ServerLock::Acquire(folder, app));
  os::Point("session.listen.locked");
  SLUICE_ASSIGN_OR_RETURN(std::unique_ptr<ListeningSocket> socket,
                          ListeningSocket::Listen(path, SocketMode(settings.permissions)));
  return std::unique_ptr<ServerCore>(new ServerCore(std::move(settings), std::move(lock), std::move(socket)));
}

ServerCore::ServerCore(ServerSettings settings, ServerLock lock, std::unique_ptr<ListeningSocket> socket)
    : settings_(std::move(settings)), lock_(std::move(lock)), socket_(std::move(socket)) {}

absl::StatusOr<std::shared_ptr<SessionCore>> ServerCore::Accept(Deadline deadline) {
  while (true) {
    if (IsListening()) AcceptClients();
    if (std::shared_ptr<SessionCore> core = StepLogins()) return core;
    if (deadline.HasPassed()) {
      return absl::DeadlineExceededError(absl::StrCat("no client of server ", settings_.terms.app, " logged in"));
    }
    SLUICE_RETURN_IF_ERROR(WaitForWork(deadline));
  }
}

bool ServerCore::IsListening() const {
  return logins_.size() < static_cast<size_t>(settings_.max_pending_logins) && listen_again_.HasPassed();
}

absl::Status ServerCore::WaitForWork(Deadline deadline) const {
  std::vector<pollfd> polls;
  Deadline wake = deadline;
  if (IsListening()) {
    polls.push_back({.fd = socket_->fd().get(), .events = POLLIN, .revents = 0});
  } else if (!listen_again_.HasPassed()) {
    wake = Earlier(wake, listen_again_);
  }
  for (const std::unique_ptr<ServerLogin>& login : logins_) {
    polls.push_back({.fd = login->socket().get(), .events = POLLIN, .revents = 0});
    wake = Earlier(wake, login->next_step());
  }
  timespec storage;
  if (os::Poll(polls.data(), polls.size(), wake.ToPollTimeout(&storage)) < 0 && errno != EINTR) {
    return FromErrno(errno, "wait for clients");
  }
  return absl::OkStatus();
}

void ServerCore::AcceptClients() {
  while (logins_.size() < static_cast<size_t>(settings_.max_pending_logins)) {
    Fd client(os::Accept(socket_->fd().get(), SOCK_CLOEXEC));
    if (!client.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      listen_again_ = Deadline(kPauseWithoutDescriptors);
      Log(LogLevel::kError, absl::StrCat("server ", settings_.terms.app, " cannot take clients in for the moment: ",
                                         FromErrno(errno, "accept a client").message()));
      return;
    }
    os::Point("session.accepted");
    absl::StatusOr<std::unique_ptr<ServerLogin>> login =
        ServerLogin::Start(std::move(client), settings_.terms, Deadline(settings_.login_timeout));
    if (login.ok()) {
      logins_.push_back(*std::move(login));
    } else {
      Log(LogLevel::kWarning,
          absl::StrCat("server ", settings_.terms.app, " dropped a client: ", login.status().message()));
    }
  }
}

std::shared_ptr<SessionCore> ServerCore::StepLogins() {
  for (auto login = logins_.begin(); login != logins_.end();) {
    absl::StatusOr<std::shared_ptr<SessionCore>> core = (*login)->Step();
    if (core.ok() && *core == nullptr) {
      ++login;
      continue;
    }
    if (!core.ok()) {
      if (!(*login)->is_inquiry()) {
        Log(LogLevel::kWarning, absl::StrCat("server ", settings_.terms.app, " refused ", (*login)->description(), ": ",
                                             core.status().ToString(absl::StatusToStringMode::kWithNoExtraData)));
      }
      (*login)->Refuse(core.status());
    }
    login = logins_.erase(login);
    if (core.ok()) return *std::move(core);
  }
  return nullptr;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
