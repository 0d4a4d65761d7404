// A hash that is the same in every process, which a table that several of them read needs.

#ifndef SLUICE_IPC_SHM_HASH_H_
#define SLUICE_IPC_SHM_HASH_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace ipc {
inline namespace sluice_0 {

namespace internal {

// Equal bytes have one hash, in any process and in any build on machines of the same byte order.
uint64_t HashBytes(const void* bytes, size_t size) noexcept;

// One bit of either changes half of the result's.
constexpr uint64_t MixHashes(uint64_t a, uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9e37'79b9'7f4a'7c15u) * (b ^ 0xd1b5'4a32'd192'ed03u);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

template <typename T>
concept HashedByUser = requires(const T& value) {
  { SluiceHashValue(value) } -> std::convertible_to<uint64_t>;
};

}  // namespace internal

namespace shm {

// Hashes integers, enumerations, floating-point numbers, strings of all kinds, and pairs and tuples of what it hashes.
// Equal numbers of different types have the same hash, and so have equal strings, so that a table with strings as keys
// finds a std::string_view. Not against keys that an attacker chooses. A user's type brings a function, which the
// language finds beside it:
//
//   uint64_t SluiceHashValue(const Point& point) { return ipc::shm::Hash::Of(point.x, point.y); }
struct Hash {
  using is_transparent = void;

  // Not noexcept for strings: so the standard library's tables keep their hashes rather than compute them again.
  template <typename T>
  size_t operator()(const T& value) const noexcept(std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return Of(value);
  }

  // Of several values, in this order.
  template <typename T, typename... Others>
  static uint64_t Of(const T& value, const Others&... others) {
    uint64_t hash = OfOne(value);
    ((hash = internal::MixHashes(hash, OfOne(others))), ...);
    return hash;
  }

 private:
  template <typename T>
  static uint64_t OfOne(const T& value) {
    if constexpr (internal::HashedByUser<T>) {
      return SluiceHashValue(value);
    } else if constexpr (std::is_enum_v<T>) {
      return OfOne(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T>) {
      return internal::MixHashes(static_cast<uint64_t>(value), 0);
    } else if constexpr (std::is_floating_point_v<T>) {
      const double number = value == 0 ? 0.0 : static_cast<double>(value);  // -0.0 equals 0.0.
      return internal::HashBytes(&number, sizeof(number));
    } else {
      static_assert(std::is_convertible_v<const T&, std::string_view>,
                    "ipc::shm::Hash does not know this type: define uint64_t SluiceHashValue(const T&) beside it");
      const std::string_view text = value;
      return internal::HashBytes(text.data(), text.size());
    }
  }
  template <typename A, typename B>
  static uint64_t OfOne(const std::pair<A, B>& pair) {
    return Of(pair.first, pair.second);
  }
  template <typename... Ts>
  static uint64_t OfOne(const std::tuple<Ts...>& tuple) {
    return std::apply([](const Ts&... values) { return Of(0, values...); }, tuple);
  }
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_HASH_H_
