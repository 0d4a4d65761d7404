// Finds pointers out of their arena in an object that is to be lent: no other process could follow them.

#ifndef SLUICE_IPC_SHM_INTERNAL_POINTER_AUDIT_H_
#define SLUICE_IPC_SHM_INTERNAL_POINTER_AUDIT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/type_names.h"
#include "ipc_util/log.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Whether objects are audited without being asked for: in debug builds.
#if defined(NDEBUG)
inline constexpr bool kAuditsPointers = false;
#else
inline constexpr bool kAuditsPointers = true;
#endif

// Follows an object by its type: containers to their elements, pairs, tuples, optionals, variants and arrays to their
// members. What it says of those is certain. Pointers must be null or lead into the region; they are not followed.
// Other classes are opaque: of their words, those are suspected to be pointers that lead to something that is mapped
// here and is not the region, which a number or a text can do by chance.
class PointerAudit {
 public:
  // `region`: all that may be pointed to.
  explicit PointerAudit(absl::Span<const std::byte> region) : region_(region) {}

  // INVALID_ARGUMENT: what was found first, where it leads, and in which type.
  const absl::Status& status() const { return status_; }
  // The same of what was suspected first; empty: nothing.
  const std::string& suspicion() const { return suspicion_; }

  template <typename T>
  void Visit(const T& value);

 private:
  struct Mapping {
    uintptr_t begin;
    uintptr_t end;
    std::string name;
  };

  // Of an object of the type `holder`, `offset` bytes into it if that is known.
  void CheckPointer(const void* pointer, std::string_view holder, std::string_view what);
  void CheckWords(const void* object, size_t bytes, std::string_view holder);
  bool InRegion(uintptr_t address) const;
  // Null: nothing is mapped there.
  const Mapping* Find(uintptr_t address);
  std::string Describe(uintptr_t address, std::string_view holder, std::string_view what);

  template <typename T>
  void VisitContainer(const T& container);

  const absl::Span<const std::byte> region_;
  absl::Status status_;
  std::string suspicion_;
  std::optional<std::vector<Mapping>> mappings_;  // Read when first needed.
};

// Of an object and what it holds; see PointerAudit. What is only suspected goes to the log.
template <typename T>
absl::Status AuditPointers(const T& object, absl::Span<const std::byte> region) {
  PointerAudit audit(region);
  audit.Visit(object);
  if (!audit.suspicion().empty()) Log(LogLevel::kWarning, absl::StrCat("an object is lent, and ", audit.suspicion()));
  return audit.status();
}

template <typename T>
struct AuditedMembers {
  static constexpr bool kKnown = false;
};
template <typename A, typename B>
struct AuditedMembers<std::pair<A, B>> {
  static constexpr bool kKnown = true;
  static void Visit(PointerAudit& audit, const std::pair<A, B>& pair) {
    audit.Visit(pair.first);
    audit.Visit(pair.second);
  }
};
template <typename... Ts>
struct AuditedMembers<std::tuple<Ts...>> {
  static constexpr bool kKnown = true;
  static void Visit(PointerAudit& audit, const std::tuple<Ts...>& tuple) {
    std::apply([&](const Ts&... values) { (audit.Visit(values), ...); }, tuple);
  }
};
template <typename T>
struct AuditedMembers<std::optional<T>> {
  static constexpr bool kKnown = true;
  static void Visit(PointerAudit& audit, const std::optional<T>& optional) {
    if (optional.has_value()) audit.Visit(*optional);
  }
};
template <typename... Ts>
struct AuditedMembers<std::variant<Ts...>> {
  static constexpr bool kKnown = true;
  static void Visit(PointerAudit& audit, const std::variant<Ts...>& variant) {
    if (!variant.valueless_by_exception()) std::visit([&](const auto& value) { audit.Visit(value); }, variant);
  }
};
template <typename T, size_t kSize>
struct AuditedMembers<std::array<T, kSize>> {
  static constexpr bool kKnown = true;
  static void Visit(PointerAudit& audit, const std::array<T, kSize>& array) {
    for (const T& value : array) audit.Visit(value);
  }
};

template <typename T>
void PointerAudit::Visit(const T& value) {
  if (!status_.ok()) return;
  if constexpr (std::is_pointer_v<T>) {
    CheckPointer(reinterpret_cast<const void*>(value), SpelledName<T>(), "a pointer");
  } else if constexpr (std::is_array_v<T>) {
    for (const auto& element : value) Visit(element);
  } else if constexpr (std::is_class_v<T> || std::is_union_v<T>) {
    if constexpr (AuditedMembers<T>::kKnown) {
      AuditedMembers<T>::Visit(*this, value);
    } else if constexpr (requires {
                           typename T::allocator_type;
                           typename T::value_type;
                           value.get_allocator().header();
                         }) {
      VisitContainer(value);
    } else if constexpr (!std::is_empty_v<T>) {
      CheckWords(&value, sizeof(T), SpelledName<T>());
    }
  }
}

template <typename T>
void PointerAudit::VisitContainer(const T& container) {
  // One in no arena has no memory either, and is harmless.
  CheckPointer(container.get_allocator().header(), SpelledName<T>(), "its arena");
  using Value = typename T::value_type;
  if constexpr (requires { container.has_value(); }) {
    if (container.has_value()) Visit(*container);
  } else if constexpr (requires { container.data(); }) {
    CheckPointer(container.data(), SpelledName<T>(), "its memory");
    if constexpr (!std::is_arithmetic_v<Value> && !std::is_enum_v<Value>) {
      for (const Value& element : container) Visit(element);
    }
  } else if constexpr (std::is_same_v<Value, bool>) {
    CheckWords(&container, sizeof(container), SpelledName<T>());  // Bits have no addresses.
  } else {
    for (const Value& element : container) {
      CheckPointer(&element, SpelledName<T>(), "an element");
      Visit(element);
    }
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_POINTER_AUDIT_H_
