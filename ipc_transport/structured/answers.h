// The answers to a request that has many.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_ANSWERS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_ANSWERS_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/pending_requests.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {

template <typename Root>
class StructuredChannel;

// Made by `StructuredChannel::RequestMany`. Move-only; one thread at a time. Answers that come once it is destroyed are
// late ones. Moved from, it may only be destroyed or assigned to.
//
//   while (true) {
//     absl::StatusOr<std::optional<Incoming<Body>>> answer = answers->Next();
//     if (!answer.ok()) return answer.status();
//     if (!answer->has_value()) break;
//     Use((*answer)->body());
//   }
template <typename Root>
class Answers {
 public:
  Answers(Answers&& other) noexcept = default;
  Answers& operator=(Answers&& other) noexcept {
    if (this != &other) {
      Forget();
      core_ = std::move(other.core_);
      request_ = std::move(other.request_);
    }
    return *this;
  }
  ~Answers() { Forget(); }

  // The next answer; nullopt: that was the last.
  // RESOURCE_EXHAUSTED: too many waited to be taken, or one was larger than this side takes; no more come. Else as
  // every call of the channel.
  absl::StatusOr<std::optional<Incoming<Root>>> Next(Deadline deadline = Deadline::Default()) {
    SLUICE_ASSIGN_OR_RETURN(internal::IncomingMessage::Ptr answer, core_->NextAnswer(*request_, deadline));
    if (answer == nullptr) return std::nullopt;
    return Incoming<Root>(std::move(answer));
  }

 private:
  friend class StructuredChannel<Root>;

  Answers(std::shared_ptr<internal::ChannelCore> core, std::unique_ptr<internal::PendingRequest> request)
      : core_(std::move(core)), request_(std::move(request)) {}

  void Forget() {
    if (request_ != nullptr) core_->Forget(*request_);
  }

  std::shared_ptr<internal::ChannelCore> core_;
  std::unique_ptr<internal::PendingRequest> request_;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_ANSWERS_H_
