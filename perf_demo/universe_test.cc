#include "perf_demo/universe.h"

#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;

TEST(UniverseTest, IsValid) {
  EXPECT_OK(ipc::Validate(kCacheClient));
  EXPECT_OK(ipc::Validate(kCacheServer));
  EXPECT_EQ(kCacheServer.allowed_clients.front(), kCacheClient.name);
}

}  // namespace
}  // namespace cache_demo
