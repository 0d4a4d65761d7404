// The allocator of containers in shared memory.

#ifndef SLUICE_IPC_SHM_ALLOCATOR_H_
#define SLUICE_IPC_SHM_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "ipc_shm/internal/arena_access.h"

namespace ipc {
inline namespace sluice_0 {

namespace shm {
template <typename T>
class Allocator;
}  // namespace shm

namespace internal {

// Whether a T is told of its arena when it is made, as containers are.
template <typename T>
inline constexpr bool kTakesArena = std::uses_allocator_v<T, shm::Allocator<std::byte>>;

// Whether a T may have memory of its own.
template <typename T>
inline constexpr bool kMayAllocate = std::is_class_v<T> && !std::is_trivially_copyable_v<T>;

// Whether the making of a T may look for a scope: parts of a user's structure do, and temporaries; strings do not.
template <typename T>
inline constexpr bool kLooksForScope = kMayAllocate<T>;
template <typename T>
  requires requires { typename T::value_type; }
inline constexpr bool kLooksForScope<T> =
    kMayAllocate<T> && !(kTakesArena<T> && std::is_trivially_copyable_v<typename T::value_type>);

template <typename T>
inline constexpr bool kIsPair = false;
template <typename A, typename B>
inline constexpr bool kIsPair<std::pair<A, B>> = true;

}  // namespace internal

namespace shm {

// Makes a standard container one of an arena: `std::vector<int, Allocator<int>>`. Eight bytes, equal in all processes.
// A value that belongs to a container; any thread may use a copy.
//
// - A container that is made or copied takes the arena of the thread's innermost ArenaScope. Without one, a copy lies
//   where its original does, and a new one is in no arena: it can be empty, and throws NoArena when it wants memory.
// - It stays in its arena for life: a move or an assignment from another arena copies; a swap with one ends the
//   program.
// - What a container makes inside itself lies in its arena, with or without a scope, to any depth, also the members of
//   plain structures. A structure that is moved in brings along what it made elsewhere.
// - `allocate` throws NoArena and ArenaFull (allocation_error.h), and nothing falls back to the heap.
template <typename T>
class Allocator {
 public:
  using value_type = T;
  using is_always_equal = std::false_type;
  using propagate_on_container_copy_assignment = std::false_type;
  using propagate_on_container_move_assignment = std::false_type;
  // So that containers swap their allocators too, and `swap` sees whether they may.
  using propagate_on_container_swap = std::true_type;

  Allocator() noexcept : header_(internal::scoped_header) {}
  explicit Allocator(const Arena& arena) : header_(internal::HeaderOf(arena)) {}
  template <typename U>
  Allocator(const Allocator<U>& other) noexcept : header_(other.header()) {}

  [[nodiscard]] T* allocate(size_t count) {
    static_assert(alignof(T) <= 4096, "blocks of an arena are aligned to at most Arena::kMaxAlignment");
    if (count > kMaxCount) throw std::bad_array_new_length();
    return static_cast<T*>(internal::AllocateInArena(header_, count * sizeof(T), alignof(T)));
  }
  void deallocate(T* block, size_t count) noexcept { internal::FreeInArena(header_, block, count * sizeof(T)); }

  template <typename U, typename... Args>
  void construct(U* place,
                 Args&&... args) noexcept(!internal::kMayAllocate<U> && std::is_nothrow_constructible_v<U, Args...>) {
    if constexpr (internal::kLooksForScope<U>) {
      const internal::HeaderScope scope(header_);
      ConstructInScope(place, std::forward<Args>(args)...);
    } else {
      ConstructInScope(place, std::forward<Args>(args)...);
    }
  }

  // The arena of a copy of the container.
  Allocator select_on_container_copy_construction() const noexcept {
    return internal::scoped_header != nullptr ? Allocator() : *this;
  }

  const internal::ArenaHeader* header() const noexcept { return header_; }

  template <typename U>
  friend bool operator==(const Allocator& a, const Allocator<U>& b) noexcept {
    return a.header() == b.header();
  }
  friend void swap(Allocator& a, Allocator& b) noexcept {
    if (a.header_ != b.header_) internal::DieOfSwapBetweenArenas();
  }

 private:
  static constexpr size_t kMaxCount = size_t{PTRDIFF_MAX} / sizeof(T);

  template <typename U, typename... Args>
  void ConstructInScope(U* place, Args&&... args) {
    if constexpr (internal::kTakesArena<U> || internal::kIsPair<U>) {
      std::uninitialized_construct_using_allocator(place, *this, std::forward<Args>(args)...);
    } else {
      ::new (static_cast<void*>(place)) U(std::forward<Args>(args)...);
    }
  }

  const internal::ArenaHeader* header_;
};
static_assert(sizeof(Allocator<char>) == 8);

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_ALLOCATOR_H_
