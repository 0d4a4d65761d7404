// The renamed jemalloc is an allocator beside the process's malloc, not in place of it.

#include "third_party/jemalloc/jemalloc.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>

#include "gtest/gtest.h"

namespace {

// How many bytes this thread has had from the renamed jemalloc so far.
std::uint64_t BytesFromJemalloc() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof(bytes);
  EXPECT_EQ(sluice_je_mallctl("thread.allocated", &bytes, &size, nullptr, 0), 0);
  return bytes;
}

// By way of a volatile, so that the compiler cannot leave the allocation out.
void Discard(void* memory, void (*release)(void*)) {
  void* volatile kept = memory;
  EXPECT_NE(kept, nullptr);
  release(kept);
}

void ReleaseNew(void* memory) { ::operator delete(memory); }

class JemallocTest : public testing::Test {
 protected:
  // jemalloc is initialised from here on, so it has had its chance to take malloc over.
  JemallocTest() : memory_(sluice_je_mallocx(100, 0)), before_(BytesFromJemalloc()) {}
  ~JemallocTest() override { sluice_je_dallocx(memory_, 0); }

  void* const memory_;
  const std::uint64_t before_;
};

TEST_F(JemallocTest, Allocates) {
  ASSERT_NE(memory_, nullptr);
  const std::size_t size = sluice_je_sallocx(memory_, 0);
  EXPECT_GE(size, 100u);
  void* const more = sluice_je_mallocx(100, 0);
  EXPECT_EQ(BytesFromJemalloc(), before_ + size);
  sluice_je_dallocx(more, 0);
}

TEST_F(JemallocTest, MallocStaysTheProcesssOwn) {
  Discard(std::malloc(100), std::free);
  Discard(std::malloc(100'000'000), std::free);
  Discard(std::calloc(10, 10), std::free);
  Discard(std::realloc(std::malloc(10), 1000), std::free);
  Discard(std::aligned_alloc(4096, 4096), std::free);
  EXPECT_EQ(BytesFromJemalloc(), before_);
}

TEST_F(JemallocTest, OperatorNewStaysTheProcesssOwn) {
  Discard(::operator new(100), ReleaseNew);
  EXPECT_EQ(BytesFromJemalloc(), before_);
}

TEST_F(JemallocTest, MallocStaysTheProcesssOwnInOtherThreads) {
  std::thread([] {
    const std::uint64_t before = BytesFromJemalloc();
    Discard(std::malloc(100), std::free);
    EXPECT_EQ(BytesFromJemalloc(), before);
  }).join();
}

}  // namespace
