#include "perf_demo/memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;

constexpr size_t kBytes = size_t{64} << 20;

// Memory that is there, mapped past the sanitizers, which would take some more for it.
class Populated {
 public:
  explicit Populated(int flags)
      : address_(
            syscall(SYS_mmap, nullptr, kBytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)) {}
  ~Populated() { syscall(SYS_munmap, address_, kBytes); }

 private:
  const long address_;
};

TEST(MemoryTest, TellsPrivateFromShared) {
  ASSERT_OK_AND_ASSIGN(const ProcessMemory before, MemoryOf(getpid()));
  {
    const Populated populated(MAP_PRIVATE);
    ASSERT_OK_AND_ASSIGN(const ProcessMemory after, MemoryOf(getpid()));
    EXPECT_GE(after.private_bytes, before.private_bytes + kBytes / 2);
    EXPECT_LT(after.shared_bytes, before.shared_bytes + kBytes / 2);
  }
  const Populated populated(MAP_SHARED);
  ASSERT_OK_AND_ASSIGN(const ProcessMemory after, MemoryOf(getpid()));
  EXPECT_GE(after.shared_bytes, before.shared_bytes + kBytes / 2);
  EXPECT_LT(after.private_bytes, before.private_bytes + kBytes / 2);
}

TEST(MemoryTest, ThereIsNoMemoryOfNoProcess) {
  EXPECT_THAT(MemoryOf(0).status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(MemoryTest, TheMachineHasSome) {
  ASSERT_OK_AND_ASSIGN(const MachineMemory memory, MemoryOfMachine());
  EXPECT_GT(memory.available_bytes, 0u);
  EXPECT_GT(memory.total_bytes, memory.available_bytes);
}

}  // namespace
}  // namespace cache_demo
