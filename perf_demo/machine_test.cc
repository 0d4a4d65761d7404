#include "perf_demo/machine.h"

#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cache_demo {
namespace {

TEST(MachineTest, IsThisOne) {
  const Machine machine = ThisMachine();
  EXPECT_GE(machine.processors, 1);
  EXPECT_EQ(AllowedProcessors().size(), static_cast<size_t>(machine.processors));
  EXPECT_LE(machine.processors, sysconf(_SC_NPROCESSORS_CONF));
  EXPECT_EQ(machine.memory_bytes / 4096, static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * getpagesize() / 4096);
  EXPECT_THAT(machine.kernel, testing::StartsWith("Linux "));
  EXPECT_THAT(machine.shmem_huge_pages, testing::Not(testing::HasSubstr("[")));
}

}  // namespace
}  // namespace cache_demo
