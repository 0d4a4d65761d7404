#include "ipc_util/testing/readable.h"

#include <sys/eventfd.h>

#include <thread>

#include "gtest/gtest.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

TEST(ReadableTest, NowAndLater) {
  const Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  EXPECT_FALSE(IsReadable(event));
  std::thread writer([&] { EXPECT_EQ(eventfd_write(event.get(), 1), 0); });
  EXPECT_TRUE(BecomesReadable(event));
  writer.join();
  EXPECT_TRUE(IsReadable(event));
}

}  // namespace
}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
