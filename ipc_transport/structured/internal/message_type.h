// Which sort of message a typed root says it is: the member of its anonymous union.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_TYPE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_TYPE_H_

#include <cstdint>
#include <optional>

#include "ipc_transport/structured/internal/incoming_message.h"

namespace ipc {
inline namespace sluice_0 {

// A root struct with an anonymous union, whose members are its message types.
template <typename Root>
concept HasMessageTypes = requires { typename Root::Which; };

namespace internal {

template <typename Root>
std::optional<uint16_t> TypeOf(typename Root::Reader body) {
  if constexpr (HasMessageTypes<Root>) {
    return static_cast<uint16_t>(body.which());
  } else {
    return std::nullopt;
  }
}

template <typename Root>
std::optional<uint16_t> TypeOfIncoming(const IncomingMessage& message) {
  return TypeOf<Root>(message.root().template as<Root>());
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_TYPE_H_
