#include "ipc_transport/internal/copy_bytes.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

TEST(CopyBytesTest, CopiesEachSizeWholeAndNothingBeside) {
  constexpr std::byte kGuard{0xA5};
  for (size_t bytes = 0; bytes <= 2100; ++bytes) {
    std::vector<std::byte> from(bytes);
    for (size_t i = 0; i < bytes; ++i) from[i] = static_cast<std::byte>(i * 7 + bytes);
    for (size_t shift : {1, 8, 15}) {
      std::vector<std::byte> to(bytes + 2 * shift, kGuard);
      std::vector<std::byte> expected = to;
      std::copy(from.begin(), from.end(), expected.begin() + shift);
      CopyBytes(to.data() + shift, from.data(), bytes);
      ASSERT_EQ(to, expected) << bytes << " bytes at " << shift;
    }
  }
}

TEST(CopyBytesTest, NoBytesNeedNoMemory) { CopyBytes(nullptr, nullptr, 0); }

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
