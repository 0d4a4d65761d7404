// Runs the tests, or the role of a child; a test that hangs is ended.

#include <unistd.h>

#include "gtest/gtest.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/time_limit.h"

int main(int argc, char** argv) {
  // Below Bazel's own limit, so that the log says which test it was.
  alarm(50 * ipc::testing::kSlowness);
  ipc::testing::RunRoleIfChild(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
