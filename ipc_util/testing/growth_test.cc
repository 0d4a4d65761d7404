#include "ipc_util/testing/growth.h"

#include <fcntl.h>

#include "absl/base/config.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"

namespace ipc::testing {
namespace {

TEST(GrowthTest, IsOfDescriptorsAndOfPages) {
  const Sample early = Sample::Now();
  EXPECT_GT(early.resident_pages, 0);
  EXPECT_EQ(Growth(early, early, 1), "");
  Sample larger = early;
  larger.resident_pages += 40;
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)
  EXPECT_NE(Growth(early, larger, 1000), "");
#endif
  EXPECT_EQ(Growth(early, larger, 10'000), "");
  const Fd one_more(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_NE(Growth(early, Sample::Now(), 1), "");
}

}  // namespace
}  // namespace ipc::testing
