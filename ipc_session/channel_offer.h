// Channels that are opened while a session lasts, as both sides see them meanwhile.

#ifndef SLUICE_IPC_SESSION_CHANNEL_OFFER_H_
#define SLUICE_IPC_SESSION_CHANNEL_OFFER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_session/channel_options.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
class SessionChannels;
}  // namespace internal

// A channel that the peer wants to open. Move-only; destroyed unanswered, it is refused. Any thread, one at a time. It
// may outlive the session's handle, and is of no use then.
class ChannelOffer {
 public:
  ChannelOffer(ChannelOffer&&) noexcept = default;
  ChannelOffer& operator=(ChannelOffer&& other) noexcept;
  ~ChannelOffer() { Refuse("nobody took it"); }

  PipeKind pipe() const { return pipe_; }
  const std::string& metadata() const { return metadata_; }

  // The channel, of this side's `sizes`; the opener has it from now on. The deadline is for an opener of a socket or
  // queue channel that misbehaves: an honest one's half is there.
  // UNAVAILABLE: the opener waits no longer, or the session has ended. RESOURCE_EXHAUSTED: no room for its ring (raise
  // SessionOptions::outbox_bytes), no descriptors, or a limit on message queues. INVALID_ARGUMENT: bad `sizes`.
  // FAILED_PRECONDITION: it was answered already, or the two sides' pipes do not fit. CANCELLED: the session was closed
  // here. DATA_LOSS, DEADLINE_EXCEEDED: the opener broke the protocol. On each error but INVALID_ARGUMENT the opener is
  // told that it is refused.
  absl::StatusOr<Channel> Accept(const PipeSizes& sizes = {}, Deadline deadline = Deadline::Default());

  // The opener's call returns PERMISSION_DENIED, "refused: <why>"; of `why` up to 128 bytes of printable ASCII travel.
  // Without effect once it was answered.
  void Refuse(absl::string_view why);

 private:
  friend class Session;

  ChannelOffer(std::weak_ptr<internal::SessionChannels> session, uint32_t id, PipeKind pipe, std::string metadata);

  std::weak_ptr<internal::SessionChannels> session_;  // Empty once it was answered.
  uint32_t id_ = 0;
  PipeKind pipe_ = PipeKind::kRing;
  std::string metadata_;
};

// A channel that this side wants to open, and that the peer has not answered yet. Move-only; destroyed before that, it
// is withdrawn. Any thread, one at a time.
class OpeningChannel {
 public:
  OpeningChannel(OpeningChannel&&) noexcept = default;
  OpeningChannel& operator=(OpeningChannel&& other) noexcept;
  ~OpeningChannel();

  // The channel, once the peer has accepted it.
  // DEADLINE_EXCEEDED: it has not answered; ask again. PERMISSION_DENIED: its program refused, and says why.
  // RESOURCE_EXHAUSTED (kLimit): it has as many channels as it may, or no room for its half. UNAVAILABLE: the session
  // has ended. CANCELLED: closed here. FAILED_PRECONDITION: this was answered already, or the two sides' pipes do not
  // fit.
  absl::StatusOr<Channel> Wait(Deadline deadline = Deadline::Default());

 private:
  friend class Session;

  OpeningChannel(std::weak_ptr<internal::SessionChannels> session, uint32_t id);

  std::weak_ptr<internal::SessionChannels> session_;
  uint32_t id_ = 0;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_CHANNEL_OFFER_H_
