// Which type an object in shared memory has, in a number that two programs compare.

#ifndef SLUICE_IPC_SHM_TYPE_IDENTITY_H_
#define SLUICE_IPC_SHM_TYPE_IDENTITY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "ipc_shm/internal/type_names.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

// Programs with the same number for two types agree on name, size and alignment of these and of what they are templates
// of, on the standard library (its name, major version and ABI macros), and on `kIpcVersion` of a class that has one:
//
//   struct Entry {
//     static constexpr uint32_t kIpcVersion = 2;  // Raise it when members change and the size does not.
//   };
//
// The members of a class are not seen. The same for g++ and clang++, save for templates of users with arguments other
// than types, and for types in unnamed namespaces or functions.
struct TypeId {
  uint64_t value = 0;

  friend bool operator==(TypeId, TypeId) = default;
};

}  // namespace shm

namespace internal {

// What the layout of the standard library's types depends on.
constexpr uint64_t StandardLibrary() {
  NameHash hash;
#if defined(_GLIBCXX_RELEASE)
  hash.Add("libstdc++");
  hash.Add(uint64_t{_GLIBCXX_RELEASE});
  hash.Add(uint64_t{_GLIBCXX_USE_CXX11_ABI});
#if defined(_GLIBCXX_INLINE_VERSION)
  hash.Add(uint64_t{_GLIBCXX_INLINE_VERSION});
#endif
#if defined(_GLIBCXX_DEBUG)
  hash.Add("_GLIBCXX_DEBUG");
#endif
#elif defined(_LIBCPP_VERSION)
  hash.Add("libc++");
  hash.Add(uint64_t{_LIBCPP_VERSION / (_LIBCPP_VERSION > 100000 ? 10000 : 1000)});
  hash.Add(uint64_t{_LIBCPP_ABI_VERSION});
#else
#error "ipc_shm knows libstdc++ and libc++ only"
#endif
  return hash.value();
}

template <typename T>
constexpr void AddType(NameHash& hash);

// Templates of types, whose arguments compilers spell differently.
template <typename T>
struct TemplateArguments {
  static constexpr bool kKnown = false;
};
template <template <typename...> typename Template, typename... Args>
struct TemplateArguments<Template<Args...>> {
  static constexpr bool kKnown = true;
  static constexpr void AddTo(NameHash& hash) { (AddType<Args>(hash), ...); }
};
template <typename T, size_t kSize>
struct TemplateArguments<std::array<T, kSize>> {
  static constexpr bool kKnown = true;
  static constexpr void AddTo(NameHash& hash) {
    AddType<T>(hash);
    hash.Add(uint64_t{kSize});
  }
};

template <typename T>
constexpr void AddType(NameHash& hash) {
  if constexpr (std::is_const_v<T>) {
    hash.Add("const");
    AddType<std::remove_const_t<T>>(hash);
  } else if constexpr (std::is_pointer_v<T>) {
    hash.Add("pointer");  // Its target may be incomplete.
    hash.Add(WithoutArguments(SpelledName<std::remove_cv_t<std::remove_pointer_t<T>>>()));
  } else if constexpr (std::is_bounded_array_v<T>) {
    hash.Add("array");
    AddType<std::remove_extent_t<T>>(hash);
    hash.Add(uint64_t{std::extent_v<T>});
  } else {
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, char>) {
      hash.Add(SpelledName<T>());
    } else if constexpr (std::is_arithmetic_v<T>) {
      hash.Add(std::is_floating_point_v<T> ? "float" : std::is_signed_v<T> ? "signed" : "unsigned");
    } else if constexpr (TemplateArguments<T>::kKnown) {
      hash.Add(WithoutArguments(SpelledName<T>()));
      TemplateArguments<T>::AddTo(hash);
    } else {
      hash.Add(SpelledName<T>());
    }
    if constexpr (!std::is_void_v<T> && !std::is_function_v<T> && !std::is_reference_v<T>) {
      hash.Add(uint64_t{sizeof(T)});
      hash.Add(uint64_t{alignof(T)});
    }
    if constexpr (requires { uint32_t{T::kIpcVersion}; }) hash.Add(uint64_t{T::kIpcVersion});
  }
}

}  // namespace internal

namespace shm {

template <typename T>
consteval TypeId TypeIdOf() {
  internal::NameHash hash;
  hash.Add(internal::StandardLibrary());
  internal::AddType<std::remove_cv_t<T>>(hash);
  return {hash.value()};
}

// For error texts: as the compiler writes it.
template <typename T>
constexpr std::string_view TypeNameOf() {
  return internal::SpelledName<std::remove_cv_t<T>>();
}

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TYPE_IDENTITY_H_
