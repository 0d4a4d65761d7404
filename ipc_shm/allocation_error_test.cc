#include "ipc_shm/allocation_error.h"

#include <memory>
#include <new>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

static_assert(std::is_base_of_v<std::bad_alloc, shm::NoArena> && std::is_base_of_v<std::bad_alloc, shm::ArenaFull>);
static_assert(std::is_nothrow_copy_constructible_v<shm::NoArena>);
static_assert(std::is_nothrow_copy_constructible_v<shm::ArenaFull>);

template <typename Error>
std::string WhatOf(const Error& thrown) {
  try {
    throw thrown;
  } catch (const std::bad_alloc& caught) {
    return caught.what();
  }
}

TEST(AllocationErrorTest, IsABadAllocThatSaysWhy) {
  EXPECT_EQ(WhatOf(shm::NoArena("no arena")), "no arena");
  EXPECT_EQ(WhatOf(shm::ArenaFull("full of " + std::string(1000, 'x'))), "full of " + std::string(1000, 'x'));
}

TEST(AllocationErrorTest, ACopyOutlivesItsOriginal) {
  auto original = std::make_unique<shm::ArenaFull>("a text that lies on the heap, as it is long");
  const shm::ArenaFull copy = *original;
  original.reset();
  EXPECT_STREQ(copy.what(), "a text that lies on the heap, as it is long");
}

}  // namespace
}  // namespace ipc::testing
