// What //ipc_shm:arena_scope and type_identity.h bring; to be replaced by them.

#ifndef SLUICE_IPC_SHM_INTERNAL_LOAN_STAND_INS_H_
#define SLUICE_IPC_SHM_INTERNAL_LOAN_STAND_INS_H_

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/strings/string_view.h"
#include "ipc_shm/arena.h"

namespace ipc {
inline namespace sluice_0 {

namespace shm {

class [[nodiscard]] ArenaScope {
 public:
  explicit ArenaScope(const Arena& /*arena*/) {}
};

}  // namespace shm

namespace internal {

template <typename T>
concept Shareable = std::is_object_v<T> && !std::is_polymorphic_v<T> && !std::is_pointer_v<T>;

template <typename T>
constexpr absl::string_view TypeNameOf() {
  const absl::string_view all = __PRETTY_FUNCTION__;
  const size_t begin = all.find("T = ") + 4;
  return all.substr(begin, all.find_first_of(";]", begin) - begin);
}

template <typename T>
constexpr uint64_t TypeIdOf() {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : TypeNameOf<T>()) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return hash;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LOAN_STAND_INS_H_
