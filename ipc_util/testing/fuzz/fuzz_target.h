// What a fuzz target is written with: the function that gets arbitrary bytes, and a reader that makes choices of them.
//
//   void FuzzParser(const uint8_t* data, size_t size) {
//     FuzzInput input(data, size);
//     while (!input.empty()) ... input.Byte() ...
//     FuzzCheck(condition);
//   }
//   SLUICE_FUZZ_TARGET(FuzzParser)
//
// `sluice_cc_fuzz_test` of bazel/fuzz.bzl makes programs of it.

#ifndef SLUICE_IPC_UTIL_TESTING_FUZZ_FUZZ_TARGET_H_
#define SLUICE_IPC_UTIL_TESTING_FUZZ_FUZZ_TARGET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Ends the program where what must hold does not, in all builds, and says where: that is how a fuzzer sees a finding.
inline void FuzzCheck(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%d: this must not be\n", file, line);
  std::abort();
}

// Borrows the bytes. Beyond their end everything is zero and empty.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }

  uint8_t Byte() { return Number<uint8_t>(); }

  // Little-endian, as the machine's.
  template <typename T>
  T Number() {
    T number = 0;
    const absl::Span<const uint8_t> bytes = Bytes(sizeof(T));
    if (!bytes.empty()) std::memcpy(&number, bytes.data(), bytes.size());
    return number;
  }

  // The next `size`, or as many as there are.
  absl::Span<const uint8_t> Bytes(size_t size) {
    const absl::Span<const uint8_t> bytes = rest_.subspan(0, std::min(size, rest_.size()));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  absl::Span<const uint8_t> rest_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// Makes `function(const uint8_t*, size_t)` the program's fuzz target.
#define SLUICE_FUZZ_TARGET(function)                                        \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);  \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    function(data, size);                                                   \
    return 0;                                                               \
  }

#endif  // SLUICE_IPC_UTIL_TESTING_FUZZ_FUZZ_TARGET_H_
