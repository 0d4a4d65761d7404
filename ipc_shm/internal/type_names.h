// Types by their names, at compile time. Without other headers than the smallest: every user of native structures
// compiles this.

#ifndef SLUICE_IPC_SHM_INTERNAL_TYPE_NAMES_H_
#define SLUICE_IPC_SHM_INTERNAL_TYPE_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A namespace of its own, since g++ leaves out the one that it is in. `auto`, since g++ explains a signature's types.
namespace signature {
template <typename T>
constexpr auto Of() {
  return std::string_view(__PRETTY_FUNCTION__, sizeof(__PRETTY_FUNCTION__) - 1);
}
}  // namespace signature

// As the compiler writes it.
template <typename T>
constexpr std::string_view SpelledName() {
  const std::string_view signature = signature::Of<T>();
  const size_t begin = signature.find("T = ") + 4;
  return signature.substr(begin, signature.size() - begin - 1);
}

// Without the arguments of the last template: `std::map<int, int>` gives `std::map`.
constexpr std::string_view WithoutArguments(std::string_view name) {
  if (name.empty() || name.back() != '>') return name;
  size_t depth = 0;
  for (size_t i = name.size(); i-- > 0;) {
    if (name[i] == '>') ++depth;
    if (name[i] == '<' && --depth == 0) return name.substr(0, i);
  }
  return name;
}

// The size of an inline namespace at the start of `name`, which some compilers write and others do not.
constexpr size_t InlineNamespace(std::string_view name) {
  for (const std::string_view one : {"__cxx11::", "__1::", "sluice_0::"}) {
    if (name.starts_with(one)) return one.size();
  }
  return 0;
}

// Whether `name` is `expected`, apart from inline namespaces.
constexpr bool IsNamed(std::string_view name, std::string_view expected) {
  while (!name.empty()) {
    if (const size_t skipped = InlineNamespace(name)) {
      name.remove_prefix(skipped);
      continue;
    }
    if (expected.empty() || name.front() != expected.front()) return false;
    name.remove_prefix(1);
    expected.remove_prefix(1);
  }
  return expected.empty();
}

// FNV-1a.
class NameHash {
 public:
  constexpr void Add(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) AddByte(static_cast<uint8_t>(number >> shift));
  }
  // Apart from inline namespaces.
  constexpr void Add(std::string_view name) {
    while (!name.empty()) {
      if (const size_t skipped = InlineNamespace(name)) {
        name.remove_prefix(skipped);
      } else {
        AddByte(static_cast<uint8_t>(name.front()));
        name.remove_prefix(1);
      }
    }
    AddByte(0);
  }
  constexpr uint64_t value() const { return value_; }

 private:
  constexpr void AddByte(uint8_t byte) { value_ = (value_ ^ byte) * 0x100'0000'01b3u; }

  uint64_t value_ = 0xcbf2'9ce4'8422'2325u;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_TYPE_NAMES_H_
