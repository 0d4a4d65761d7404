// A program that has chosen jemalloc as its malloc links with the renamed one as well, and keeps the two apart.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gtest/gtest.h"
#include "third_party/jemalloc/jemalloc.h"

// The program's own jemalloc. Its header cannot be included beside the renamed one.
extern "C" int mallctl(const char* name, void* old, std::size_t* old_size, void* fresh, std::size_t fresh_size);

namespace {

// How many bytes this thread has had from the jemalloc that `control` belongs to.
template <typename Mallctl>
std::uint64_t BytesFrom(Mallctl control) {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof(bytes);
  EXPECT_EQ(control("thread.allocated", &bytes, &size, nullptr, 0), 0);
  return bytes;
}

TEST(TwoJemallocsTest, EachHasItsOwnMemory) {
  const std::uint64_t programs = BytesFrom(&mallctl);
  const std::uint64_t ours = BytesFrom(&sluice_je_mallctl);

  void* volatile programs_memory = std::malloc(100);  // volatile: not to be left out by the compiler.
  EXPECT_GE(BytesFrom(&mallctl), programs + 100);
  EXPECT_EQ(BytesFrom(&sluice_je_mallctl), ours);

  const std::uint64_t programs_now = BytesFrom(&mallctl);
  void* const our_memory = sluice_je_mallocx(100, 0);
  EXPECT_EQ(BytesFrom(&mallctl), programs_now);
  EXPECT_GE(BytesFrom(&sluice_je_mallctl), ours + 100);

  sluice_je_dallocx(our_memory, 0);
  std::free(programs_memory);
}

TEST(TwoJemallocsTest, TheProgramsOwnReadsItsOptions) {
  ssize_t own = 0;
  ssize_t ours = 0;
  std::size_t size = sizeof(own);
  ASSERT_EQ(mallctl("opt.dirty_decay_ms", &own, &size, nullptr, 0), 0);
  ASSERT_EQ(sluice_je_mallctl("opt.dirty_decay_ms", &ours, &size, nullptr, 0), 0);
  EXPECT_EQ(own, 1234);  // MALLOC_CONF of this test.
  EXPECT_EQ(ours, 10'000);
}

}  // namespace
