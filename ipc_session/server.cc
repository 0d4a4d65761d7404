#include "ipc_session/server.h"

#include <cstddef>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_session/internal/identity.h"
#include "ipc_session/internal/server_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_util/credentials.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

absl::Status ValidateClients(const ServerApp& server, const std::vector<App>& clients) {
  for (size_t i = 0; i < clients.size(); ++i) {
    const absl::string_view name = clients[i].name;
    const std::string field = absl::StrCat("ServerOptions.clients[", i, "]");
    if (const absl::Status valid = Validate(clients[i]); !valid.ok()) return WithContext(valid, field);
    if (!absl::c_linear_search(server.allowed_clients, name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is ", name, ", which is not in allowed_clients of server ", server.app.name));
    }
    const auto same_name = [&](const App& other) { return other.name == name; };
    if (absl::c_count_if(clients, same_name) > 1) {
      return absl::InvalidArgumentError(absl::StrCat(field, " is ", name, ", which is defined more than once"));
    }
  }
  for (const absl::string_view allowed : server.allowed_clients) {
    if (absl::c_any_of(clients, [&](const App& client) { return client.name == allowed; })) continue;
    return absl::InvalidArgumentError(absl::StrCat("ServerOptions.clients has no definition of ", allowed,
                                                   ", which is in allowed_clients of server ", server.app.name));
  }
  return absl::OkStatus();
}

absl::Status ValidateOptions(const ServerOptions& options) {
  if (const absl::Status valid = Validate(options.session); !valid.ok()) return WithContext(valid, "ServerOptions");
  if (options.login_timeout <= absl::ZeroDuration() || options.login_timeout == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("ServerOptions.login_timeout is ",
                                                   absl::FormatDuration(options.login_timeout),
                                                   "; give a finite time above zero"));
  }
  for (const auto& [field, value] : {std::pair("max_pending_logins", options.max_pending_logins),
                                     std::pair("max_pending_logins_per_uid", options.max_pending_logins_per_uid),
                                     std::pair("max_sessions", options.max_sessions),
                                     std::pair("max_sessions_per_uid", options.max_sessions_per_uid)}) {
    if (value >= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("ServerOptions.", field, " is ", value, "; give at least 1"));
  }
  return absl::OkStatus();
}

// Clients would turn away from a server that is not who the universe says.
absl::Status CheckSelf(const internal::Identity& self) {
  const absl::Status same = internal::CheckUser(self, OwnCredentials());
  return same.ok() ? same : WithContext(same, absl::StrCat("listen as server ", self.name));
}

}  // namespace

Server::Server(std::unique_ptr<internal::ServerCore> core) : core_(std::move(core)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

absl::StatusOr<Server> Server::Listen(const ServerApp& app, const ServerOptions& options) {
  return Listen(app, options, nullptr);
}

absl::StatusOr<Server> Server::Listen(const ServerApp& app, const ServerOptions& options,
                                      std::shared_ptr<const internal::SessionMemoryFactory> memory) {
  SLUICE_RETURN_IF_ERROR(Validate(app));
  SLUICE_RETURN_IF_ERROR(ValidateClients(app, options.clients));
  SLUICE_RETURN_IF_ERROR(ValidateOptions(options));
  const internal::Identity self(app.app);
  SLUICE_RETURN_IF_ERROR(CheckSelf(self));
  internal::ServerSettings settings = {
      .uid = self.uid,
      .permissions = app.permissions,
      .login_timeout = options.login_timeout,
      .max_pending_logins = options.max_pending_logins,
      .max_pending_logins_per_uid = options.max_pending_logins_per_uid,
      .sessions = {.total = options.max_sessions, .per_uid = options.max_sessions_per_uid},
      .terms = {.app = self.name,
                .clients = {options.clients.begin(), options.clients.end()},
                .session = options.session,
                .memory = std::move(memory)},
  };
  SLUICE_ASSIGN_OR_RETURN(auto core, internal::ServerCore::Listen(std::move(settings)));
  return Server(std::move(core));
}

absl::StatusOr<Session> Server::Accept(Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(auto core, core_->Accept(deadline));
  return Session(std::move(core));
}

absl::StatusOr<std::optional<Session>> Server::TryAccept() {
  SLUICE_ASSIGN_OR_RETURN(auto core, core_->TryAccept());
  if (core == nullptr) return std::nullopt;
  return Session(std::move(core));
}

absl::StatusOr<FdView> Server::wait_fd() const { return core_->wait_fd(); }

const std::string& Server::run_folder() const { return core_->run_folder(); }

}  // namespace sluice_0
}  // namespace ipc
