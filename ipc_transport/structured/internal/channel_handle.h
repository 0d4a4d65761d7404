// Owns a channel's core: closes it when it is destroyed, whoever still shares it.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_HANDLE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_HANDLE_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Move-only. Calls go to the core; FAILED_PRECONDITION: moved from.
class ChannelHandle {
 public:
  explicit ChannelHandle(std::shared_ptr<ChannelCore> core) : core_(std::move(core)) {}
  ChannelHandle(ChannelHandle&&) noexcept = default;
  ChannelHandle& operator=(ChannelHandle&& other) noexcept;
  ~ChannelHandle() { Close(); }

  // On the heap if moved from.
  OutgoingMessage::Ptr NewMessage() { return core_ != nullptr ? core_->NewMessage() : OutgoingMessage::New(nullptr); }
  absl::Status Send(OutgoingMessage* message, Deadline deadline) {
    return core_ != nullptr ? core_->Send(message, deadline) : MovedFrom();
  }
  absl::StatusOr<IncomingMessage::Ptr> Request(OutgoingMessage* message, Deadline deadline) {
    if (core_ == nullptr) return MovedFrom();
    return core_->Request(message, deadline);
  }
  absl::StatusOr<IncomingMessage::Ptr> Receive(Deadline deadline) {
    if (core_ == nullptr) return MovedFrom();
    return core_->Receive(deadline);
  }
  void set_wait_mode(WaitMode mode) {
    if (core_ != nullptr) core_->set_wait_mode(mode);
  }
  void Close() {
    if (core_ != nullptr) core_->Close();
  }

 private:
  static absl::Status MovedFrom();

  std::shared_ptr<ChannelCore> core_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_HANDLE_H_
