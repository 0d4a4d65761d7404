// What //ipc_shm:arena_scope and type_identity.h bring; to be replaced by them.

#ifndef SLUICE_IPC_SHM_INTERNAL_LOAN_STAND_INS_H_
#define SLUICE_IPC_SHM_INTERNAL_LOAN_STAND_INS_H_

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "ipc_shm/arena.h"

namespace ipc {
inline namespace sluice_0 {

namespace shm {

class [[nodiscard]] ArenaScope {
 public:
  explicit ArenaScope(const Arena& /*arena*/) {}
};

struct TypeId {
  uint64_t value = 0;
};

template <typename T>
constexpr std::string_view TypeNameOf() {
  const std::string_view all = __PRETTY_FUNCTION__;
  const size_t begin = all.find("T = ") + 4;
  return all.substr(begin, all.find_first_of(";]", begin) - begin);
}

template <typename T>
consteval TypeId TypeIdOf() {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : TypeNameOf<T>()) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return {hash};
}

template <typename T>
consteval bool CheckShareable() {
  static_assert(!std::is_polymorphic_v<T>, "not shareable");
  return true;
}

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_LOAN_STAND_INS_H_
