// Which types can live in shared memory, as far as the language tells.

#ifndef SLUICE_IPC_SHM_SHAREABLE_H_
#define SLUICE_IPC_SHM_SHAREABLE_H_

#include <string_view>
#include <type_traits>
#include <utility>

#include "ipc_shm/internal/type_names.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

enum class Refusal {
  kNone,
  kReference,
  kPolymorphic,
  kCode,
  kHeap,
  kOwner,
  kView,
  kLock,
  kSaltedHash,
  kStaticTable,
  kDebugMode,
};

struct NamedRefusal {
  std::string_view name;
  Refusal refusal;
};

// Names rather than types, which would take half of the standard library's headers.
inline constexpr NamedRefusal kNamedRefusals[] = {
    {"std::function", Refusal::kCode},
    {"std::move_only_function", Refusal::kCode},
    {"std::packaged_task", Refusal::kCode},
    {"std::any", Refusal::kHeap},
    {"std::filesystem::path", Refusal::kHeap},
    {"std::valarray", Refusal::kHeap},
    {"std::unique_ptr", Refusal::kOwner},
    {"std::shared_ptr", Refusal::kOwner},
    {"std::weak_ptr", Refusal::kOwner},
    {"std::future", Refusal::kOwner},
    {"std::promise", Refusal::kOwner},
    {"std::basic_string_view", Refusal::kView},
    {"std::span", Refusal::kView},
    {"std::initializer_list", Refusal::kView},
    {"std::reference_wrapper", Refusal::kReference},
    {"std::mutex", Refusal::kLock},
    {"std::timed_mutex", Refusal::kLock},
    {"std::recursive_mutex", Refusal::kLock},
    {"std::recursive_timed_mutex", Refusal::kLock},
    {"std::shared_mutex", Refusal::kLock},
    {"std::shared_timed_mutex", Refusal::kLock},
    {"std::condition_variable", Refusal::kLock},
    {"std::condition_variable_any", Refusal::kLock},
    {"std::thread", Refusal::kLock},
    {"std::jthread", Refusal::kLock},
};

// The same of abseil, whose inline namespace has many names: those that begin with absl:: and end so.
inline constexpr NamedRefusal kAbseilRefusals[] = {
    {"::Span", Refusal::kView},
    {"::Mutex", Refusal::kLock},
    {"::CondVar", Refusal::kLock},
    {"::Cord", Refusal::kHeap},
    {"::Status", Refusal::kHeap},
    {"::StatusOr", Refusal::kHeap},
    {"::AnyInvocable", Refusal::kCode},
    {"::FunctionRef", Refusal::kCode},
    {"::hash_internal::Hash", Refusal::kSaltedHash},
    {"::flat_hash_map", Refusal::kStaticTable},
    {"::flat_hash_set", Refusal::kStaticTable},
    {"::node_hash_map", Refusal::kStaticTable},
    {"::node_hash_set", Refusal::kStaticTable},
    {"::btree_map", Refusal::kStaticTable},
    {"::btree_set", Refusal::kStaticTable},
};

constexpr Refusal RefusalByName(std::string_view name) {
  for (const NamedRefusal& named : kNamedRefusals) {
    if (IsNamed(name, named.name)) return named.refusal;
  }
  if (name.starts_with("absl::")) {
    for (const NamedRefusal& named : kAbseilRefusals) {
      if (name.ends_with(named.name)) return named.refusal;
    }
  }
  return Refusal::kNone;
}

template <typename T>
consteval bool IsAllocatorOfTheHeap() {
  constexpr std::string_view kName = WithoutArguments(SpelledName<T>());
  return IsNamed(kName, "std::allocator") || IsNamed(kName, "std::pmr::polymorphic_allocator");
}

// Of T itself, not of what it is made of. T has no qualifiers.
template <typename T>
consteval Refusal OwnRefusal() {
  if constexpr (std::is_reference_v<T>) {
    return Refusal::kReference;
  } else if constexpr (std::is_function_v<std::remove_pointer_t<T>> || std::is_member_pointer_v<T>) {
    return Refusal::kCode;
  } else if constexpr (!std::is_class_v<T>) {
    return Refusal::kNone;
  } else {
    constexpr Refusal kByName = RefusalByName(WithoutArguments(SpelledName<T>()));
    if constexpr (kByName != Refusal::kNone) return kByName;
    if constexpr (std::is_polymorphic_v<T>) return Refusal::kPolymorphic;
    if constexpr (requires { typename T::allocator_type; }) {
      if constexpr (IsAllocatorOfTheHeap<typename T::allocator_type>()) return Refusal::kHeap;
#if defined(_GLIBCXX_DEBUG)
      return Refusal::kDebugMode;
#endif
    }
    return Refusal::kNone;
  }
}

template <typename... Ts>
struct TypeList {};

// What a T visibly consists of: of containers their elements, of pairs and their like the members.
template <typename T>
struct PartsOf {
  using type = TypeList<>;
};
template <typename T>
  requires(
      !requires { typename T::hasher; } &&
      requires {
        typename T::value_type;
        typename T::allocator_type;
      })
struct PartsOf<T> {
  using type = TypeList<typename T::value_type>;
};
template <typename T>
  requires requires {
    typename T::value_type;
    typename T::allocator_type;
    typename T::hasher;
  }
struct PartsOf<T> {
  using type = TypeList<typename T::value_type, typename T::hasher>;
};
template <template <typename...> typename Template, typename... Args>
  requires(IsNamed(WithoutArguments(SpelledName<Template<Args...>>()), "std::pair") ||
           IsNamed(WithoutArguments(SpelledName<Template<Args...>>()), "std::tuple") ||
           IsNamed(WithoutArguments(SpelledName<Template<Args...>>()), "std::variant") ||
           IsNamed(WithoutArguments(SpelledName<Template<Args...>>()), "std::optional"))
struct PartsOf<Template<Args...>> {
  using type = TypeList<Args...>;
};
template <typename T>
  requires(!requires { typename T::allocator_type; } && IsNamed(WithoutArguments(SpelledName<T>()), "std::array"))
struct PartsOf<T> {
  using type = TypeList<typename T::value_type>;
};

template <typename T>
using Unqualified = std::remove_cv_t<std::remove_all_extents_t<T>>;

template <typename T>
consteval bool IsShareable();
template <typename... Ts>
consteval bool AreShareable(TypeList<Ts...>) {
  return (IsShareable<Ts>() && ...);
}
template <typename T>
consteval bool IsShareable() {
  using Bare = Unqualified<T>;
  if constexpr (OwnRefusal<Bare>() != Refusal::kNone) {
    return false;
  } else {
    return AreShareable(typename PartsOf<Bare>::type());
  }
}

// Instantiated for the part that is refused, which compilers name in their message.
template <typename T>
struct MustBeShareable {
  static constexpr Refusal kRefusal = OwnRefusal<T>();
  static_assert(kRefusal != Refusal::kReference, "not shareable: a reference would point into one process");
  static_assert(kRefusal != Refusal::kPolymorphic,
                "not shareable: a class with virtual functions points to the tables of the program that made it");
  static_assert(kRefusal != Refusal::kCode, "not shareable: functions are at another address in every program");
  static_assert(kRefusal != Refusal::kHeap,
                "not shareable: it keeps its memory on the heap; use ipc::shm::string, ipc::shm::vector and the others "
                "of ipc_shm/containers.h");
  static_assert(kRefusal != Refusal::kOwner,
                "not shareable: smart pointers count and delete in one process; use a plain pointer into the same "
                "arena, or a container of ipc_shm/containers.h");
  static_assert(kRefusal != Refusal::kView,
                "not shareable: a view does not own what it points to, which need not lie in the arena; use "
                "ipc::shm::string or ipc::shm::vector");
  static_assert(kRefusal != Refusal::kLock,
                "not shareable: it works in one process only; use ipc::shm::RobustMutex (ipc_shm/robust_mutex.h)");
  static_assert(kRefusal != Refusal::kSaltedHash,
                "not shareable: absl::Hash differs in every process; use ipc::shm::Hash");
  static_assert(kRefusal != Refusal::kStaticTable,
                "not shareable: abseil's tables and trees point to a static object of one program; use the containers "
                "of ipc_shm/containers.h");
  static_assert(kRefusal != Refusal::kDebugMode,
                "not shareable: with _GLIBCXX_DEBUG, iterators write into the containers that they read");
};

template <typename T>
consteval void CheckParts();
template <typename... Ts>
consteval void CheckAll(TypeList<Ts...>) {
  (CheckParts<Ts>(), ...);
}
template <typename T>
consteval void CheckParts() {
  using Bare = Unqualified<T>;
  static_assert(sizeof(MustBeShareable<Bare>) > 0);
  if constexpr (OwnRefusal<Bare>() == Refusal::kNone) CheckAll(typename PartsOf<Bare>::type());
}

}  // namespace internal

namespace shm {

// Refused are what certainly makes no sense in another process: references, functions, classes with virtual functions,
// and, of the standard library and abseil, whatever owns memory of the heap, views, locks and smart pointers; also as
// elements of containers, pairs, tuples, optionals, variants and arrays. Plain pointers are allowed: they are right
// between objects of one arena. The members of a class are not seen: those are for its author to know, and for the
// audit of debug builds to find (internal/pointer_audit.h).
template <typename T>
concept Shareable = internal::IsShareable<T>();

// True, or a compile-time error that says what to use instead:
//
//   static_assert(CheckShareable<Entry>());
template <typename T>
consteval bool CheckShareable() {
  internal::CheckParts<T>();
  return true;
}

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_SHAREABLE_H_
