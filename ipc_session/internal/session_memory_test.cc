#include "ipc_session/internal/session_memory.h"

#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

TEST(SessionMemoryTest, KindsHaveNames) {
  EXPECT_EQ(Name(MemoryKind::kHeap), "heap");
  EXPECT_EQ(Name(MemoryKind::kClassic), "classic");
  EXPECT_EQ(Name(MemoryKind::kJemalloc), "jemalloc");
}

// They travel in the login.
TEST(SessionMemoryTest, KindsKeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(MemoryKind::kHeap), 0);
  EXPECT_EQ(static_cast<int>(MemoryKind::kClassic), 1);
  EXPECT_EQ(static_cast<int>(MemoryKind::kJemalloc), 2);
}

}  // namespace
}  // namespace ipc::internal
