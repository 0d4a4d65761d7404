// An optional value whose later contents lie in its arena.

#ifndef SLUICE_IPC_SHM_OPTIONAL_H_
#define SLUICE_IPC_SHM_OPTIONAL_H_

#include <compare>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "ipc_shm/allocator.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What std::optional does, as a container with an allocator (shm::Allocator says what that means). The members that are
// missing have `*` and `emplace` for it.
template <typename T>
class ArenaOptional {
 public:
  using value_type = T;
  using allocator_type = shm::Allocator<T>;

  ArenaOptional() noexcept {}
  ArenaOptional(std::nullopt_t) noexcept {}
  explicit ArenaOptional(const allocator_type& allocator) noexcept : allocator_(allocator) {}
  ArenaOptional(std::nullopt_t, const allocator_type& allocator) noexcept : allocator_(allocator) {}
  ArenaOptional(const ArenaOptional& other)
      : ArenaOptional(other, other.allocator_.select_on_container_copy_construction()) {}
  ArenaOptional(ArenaOptional&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : ArenaOptional(std::move(other), other.allocator_) {}
  ArenaOptional(const ArenaOptional& other, const allocator_type& allocator) : allocator_(allocator) {
    if (other.has_value_) emplace(other.value_);
  }
  ArenaOptional(ArenaOptional&& other, const allocator_type& allocator) : allocator_(allocator) {
    if (other.has_value_) emplace(std::move(other.value_));
  }
  template <typename U>
    requires(std::is_constructible_v<T, U> && !std::same_as<std::remove_cvref_t<U>, ArenaOptional> &&
             !std::is_convertible_v<U, const allocator_type&>)
  explicit(!std::is_convertible_v<U, T>) ArenaOptional(U&& value, const allocator_type& allocator = {})
      : allocator_(allocator) {
    emplace(std::forward<U>(value));
  }
  ~ArenaOptional() { reset(); }

  ArenaOptional& operator=(std::nullopt_t) noexcept {
    reset();
    return *this;
  }
  ArenaOptional& operator=(const ArenaOptional& other) {
    if (this != &other) Assign(other.has_value_, other.value_);
    return *this;
  }
  ArenaOptional& operator=(ArenaOptional&& other) {
    if (this != &other) Assign(other.has_value_, std::move(other.value_));
    return *this;
  }
  template <typename U>
    requires(std::is_constructible_v<T, U> && std::is_assignable_v<T&, U> &&
             !std::same_as<std::remove_cvref_t<U>, ArenaOptional>)
  ArenaOptional& operator=(U&& value) {
    Assign(true, std::forward<U>(value));
    return *this;
  }

  // Destroys what it held, and makes a T of `args` in the arena. It is empty when that throws.
  template <typename... Args>
  T& emplace(Args&&... args) {
    reset();
    allocator_.construct(std::addressof(value_), std::forward<Args>(args)...);
    has_value_ = true;
    return value_;
  }
  void reset() noexcept {
    if (!has_value_) return;
    has_value_ = false;
    value_.~T();
  }

  bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  T& operator*() & noexcept { return value_; }
  const T& operator*() const& noexcept { return value_; }
  T&& operator*() && noexcept { return std::move(value_); }
  T* operator->() noexcept { return std::addressof(value_); }
  const T* operator->() const noexcept { return std::addressof(value_); }
  // Throws std::bad_optional_access.
  T& value() & { return Checked(), value_; }
  const T& value() const& { return Checked(), value_; }
  T&& value() && { return Checked(), std::move(value_); }

  allocator_type get_allocator() const noexcept { return allocator_; }

  friend bool operator==(const ArenaOptional& a, const ArenaOptional& b) {
    return a.has_value_ == b.has_value_ && (!a.has_value_ || a.value_ == b.value_);
  }
  friend bool operator==(const ArenaOptional& a, std::nullopt_t) noexcept { return !a.has_value_; }
  template <std::same_as<ArenaOptional> Self, typename U>
    requires(!std::same_as<U, ArenaOptional> && !std::same_as<U, std::nullopt_t>)
  friend bool operator==(const Self& a, const U& b) {
    return a.has_value_ && a.value_ == b;
  }
  friend auto operator<=>(const ArenaOptional& a, const ArenaOptional& b)
    requires std::three_way_comparable<T>
  {
    using Order = std::compare_three_way_result_t<T>;
    return a.has_value_ && b.has_value_ ? Order(a.value_ <=> b.value_) : Order(a.has_value_ <=> b.has_value_);
  }
  friend void swap(ArenaOptional& a, ArenaOptional& b) {
    ArenaOptional other(std::move(a), b.allocator_);
    a = std::move(b);
    b = std::move(other);
  }

 private:
  template <typename U>
  void Assign(bool has_value, U&& value) {
    if (!has_value) {
      reset();
    } else if (has_value_) {
      value_ = std::forward<U>(value);
    } else {
      emplace(std::forward<U>(value));
    }
  }
  void Checked() const {
    if (!has_value_) throw std::bad_optional_access();
  }

  allocator_type allocator_;
  bool has_value_ = false;
  union {
    T value_;
  };
};

}  // namespace internal

namespace shm {

// std::optional where a T takes no memory of its own, else one that makes it in its arena.
template <typename T>
using optional = std::conditional_t<internal::kMayAllocate<T>, internal::ArenaOptional<T>, std::optional<T>>;

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_OPTIONAL_H_
