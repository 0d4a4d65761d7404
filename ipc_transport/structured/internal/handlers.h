// What a user has said that shall run for the messages of a channel.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_HANDLERS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_HANDLERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "ipc_transport/structured/internal/incoming_message.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

using MessageHandler = absl::AnyInvocable<void(IncomingMessage::Ptr)>;

// Guarded by the channel's mutex. A handler that runs is shared by its caller, so that it may be replaced meanwhile.
class Handlers {
 public:
  using Shared = std::shared_ptr<MessageHandler>;

  // Null: no longer.
  void On(uint16_t type, MessageHandler handler) { permanent_[type] = Share(std::move(handler)); }
  void Once(uint16_t type, MessageHandler handler) { once_[type] = Share(std::move(handler)); }
  void OnOther(MessageHandler handler) { other_ = Share(std::move(handler)); }

  bool Has(std::optional<uint16_t> type) const {
    return other_ != nullptr || (type.has_value() && (IsSet(once_, *type) || IsSet(permanent_, *type)));
  }

  // The one to run for a message of `type` (nullopt: of none that has one); null: there is none. A handler for once is
  // gone with it.
  Shared Take(std::optional<uint16_t> type) {
    if (type.has_value()) {
      if (IsSet(once_, *type)) return std::exchange(once_[*type], nullptr);
      if (IsSet(permanent_, *type)) return permanent_[*type];
    }
    return other_;
  }

 private:
  using ByType = absl::flat_hash_map<uint16_t, Shared>;

  static Shared Share(MessageHandler handler) {
    return handler ? std::make_shared<MessageHandler>(std::move(handler)) : nullptr;
  }
  static bool IsSet(const ByType& handlers, uint16_t type) {
    const auto found = handlers.find(type);
    return found != handlers.end() && found->second != nullptr;
  }

  ByType permanent_;
  ByType once_;
  Shared other_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_HANDLERS_H_
