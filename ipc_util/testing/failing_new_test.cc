#include "ipc_util/testing/failing_new.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

// Calls of the function itself, which no compiler leaves out.
void NewAndDelete(size_t bytes) { ::operator delete(::operator new(bytes)); }

// Nor does one leave out the string.
void Use(const std::string& text) { asm volatile("" : : "r"(text.data()) : "memory"); }

TEST(FailingNewTest, TheNthCallFailsAndNoOther) {
  const FailingNew failing(2);
  NewAndDelete(1);
  EXPECT_FALSE(failing.has_failed());
  EXPECT_THROW(NewAndDelete(2), std::bad_alloc);
  EXPECT_TRUE(failing.has_failed());
  NewAndDelete(3);
}

TEST(FailingNewTest, CountsAllKindsOfNew) {
  const FailingNew failing(4);
  constexpr std::align_val_t kAlignment{4096};
  ::operator delete[](::operator new[](10));
  void* const aligned = ::operator new(1, kAlignment);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(aligned) % 4096, 0u);
  ::operator delete(aligned, kAlignment);
  NewAndDelete(1);
  EXPECT_THROW(Use(std::string(100, 'a')), std::bad_alloc);
}

TEST(FailingNewTest, OtherThreadsAreLeftAlone) {
  const FailingNew failing(1);
  bool has_thrown = true;
  // The thread itself needs memory: it is started in one that may fail.
  EXPECT_THROW(std::thread([] {}), std::bad_alloc);
  std::thread([&] {
    NewAndDelete(1);
    has_thrown = false;
  }).join();
  EXPECT_FALSE(has_thrown);
}

}  // namespace
}  // namespace ipc::testing
