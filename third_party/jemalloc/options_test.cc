// The test runs with a MALLOC_CONF, which the renamed jemalloc does not read.

#include <sys/types.h>

#include <cstddef>
#include <cstdlib>

#include "gtest/gtest.h"
#include "third_party/jemalloc/jemalloc.h"

namespace {

template <typename T>
T Option(const char* name) {
  T value{};
  std::size_t size = sizeof(value);
  EXPECT_EQ(sluice_je_mallctl(name, &value, &size, nullptr, 0), 0) << name;
  return value;
}

TEST(OptionsTest, TheEnvironmentIsForTheProgramsOwnMalloc) {
  ASSERT_STREQ(std::getenv("MALLOC_CONF"), "narenas:7,dirty_decay_ms:1234");
  EXPECT_EQ(Option<unsigned>("opt.narenas"), 1u);
  EXPECT_EQ(Option<ssize_t>("opt.dirty_decay_ms"), 10'000);
}

}  // namespace
