// Values of fixed size as bytes of a packet, and back.

#ifndef SLUICE_IPC_SESSION_INTERNAL_WIRE_H_
#define SLUICE_IPC_SESSION_INTERNAL_WIRE_H_

#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>

#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

template <typename T>
void AppendWire(const T& value, std::string* packet) {
  static_assert(std::is_trivially_copyable_v<T>);
  packet->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Takes a `T` from the front of `rest`; false: it is shorter, and stays as it is.
template <typename T>
bool TakeWire(absl::Span<const std::byte>* rest, T* value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (rest->size() < sizeof(T)) return false;
  std::memcpy(value, rest->data(), sizeof(T));
  rest->remove_prefix(sizeof(T));
  return true;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_WIRE_H_
