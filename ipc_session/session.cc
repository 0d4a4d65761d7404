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

Channel Session::TakeChannel(int index) { return core_->channels()->TakeFirst(index); }

const SessionPeer& Session::peer() const { return core_->peer(); }

const std::string& Session::peer_metadata() const { return core_->peer_metadata(); }

absl::StatusOr<Channel> Session::OpenChannel(const ChannelOptions& options, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(OpeningChannel opening, StartChannel(options));
  return opening.Wait(deadline);
}

absl::StatusOr<OpeningChannel> Session::StartChannel(const ChannelOptions& options) {
  SLUICE_RETURN_IF_ERROR(Validate(options));
  SLUICE_ASSIGN_OR_RETURN(const uint32_t id, core_->channels()->StartOpening(options));
  return OpeningChannel(core_->channels(), id);
}

absl::StatusOr<ChannelOffer> Session::NextOffer(Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(internal::SessionChannels::Offer offer, core_->channels()->NextOffer(deadline));
  return ChannelOffer(core_->channels(), offer.id, offer.pipe, std::move(offer.metadata));
}

void Session::OnOffer(absl::AnyInvocable<void(ChannelOffer)> handler) {
  core_->dispatcher().OnOffer([channels = std::weak_ptr<internal::SessionChannels>(core_->channels()),
                               handler = std::move(handler)](internal::SessionChannels::Offer offer) mutable {
    handler(ChannelOffer(channels, offer.id, offer.pipe, std::move(offer.metadata)));
  });
}

void Session::OnEnd(absl::AnyInvocable<void(const absl::Status&)> handler) {
  core_->dispatcher().OnEnd(std::move(handler));
}

void Session::OnReady(const Channel& channel, absl::AnyInvocable<bool()> handler) {
  core_->dispatcher().OnReady(channel.pipe(), std::move(handler));
}

void Session::Drive(const std::shared_ptr<internal::Driven>& channel) { core_->dispatcher().Drive(channel); }

absl::Status Session::Dispatch(Deadline deadline) {
  const std::shared_ptr<internal::SessionCore> core = core_;  // A handler may destroy the session.
  return core->dispatcher().Dispatch(deadline);
}

absl::StatusOr<bool> Session::TryDispatch() {
  const std::shared_ptr<internal::SessionCore> core = core_;  // A handler may destroy the session.
  return core->dispatcher().TryDispatch();
}

absl::StatusOr<FdView> Session::wait_fd() { return core_->dispatcher().WaitFd(); }

absl::Status Session::status() const { return core_->status(); }

absl::Status Session::WaitForEnd(Deadline deadline) { return core_->WaitForEnd(deadline); }

std::shared_ptr<MessageStore> Session::message_store() const { return core_->message_store(); }

}  // namespace sluice_0
}  // namespace ipc
