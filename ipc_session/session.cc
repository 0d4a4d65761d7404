#include "ipc_session/session.h"

#include <utility>

#include "ipc_session/internal/client_login.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

Session::Session(std::shared_ptr<internal::SessionCore> core) : core_(std::move(core)) {}
Session::Session(Session&&) noexcept = default;

Session& Session::operator=(Session&& other) noexcept {
  if (this != &other) {
    if (core_ != nullptr) core_->End();
    core_ = std::move(other.core_);
  }
  return *this;
}

Session::~Session() {
  if (core_ != nullptr) core_->End();
}

absl::StatusOr<Session> Session::Connect(const App& client, const ServerApp& server, const SessionOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(auto core, internal::LogIn(client, server, options, nullptr));
  return Session(std::move(core));
}

absl::StatusOr<Session> Session::Connect(const App& client, const ServerApp& server, const SessionOptions& options,
                                         const internal::SessionMemoryFactory& memory) {
  SLUICE_ASSIGN_OR_RETURN(auto core, internal::LogIn(client, server, options, &memory));
  return Session(std::move(core));
}

int Session::channel_count() const { return core_->channel_count(); }

Channel Session::TakeChannel(int index) { return Channel(core_->TakeChannel(index)); }

const SessionPeer& Session::peer() const { return core_->peer(); }

const std::string& Session::peer_metadata() const { return core_->peer_metadata(); }

absl::Status Session::status() const { return core_->status(); }

absl::Status Session::WaitForEnd(Deadline deadline) { return core_->WaitForEnd(deadline); }

std::shared_ptr<MessageStore> Session::message_store() const { return core_->message_store(); }

}  // namespace sluice_0
}  // namespace ipc
