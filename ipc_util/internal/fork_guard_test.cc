#include "ipc_util/internal/fork_guard.h"

#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// The exit code of a forked child that does `body`.
template <typename Body>
int InChild(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  return waitpid(child, &status, 0) == child ? status : -1;
}

TEST(ForkGuardTest, KnowsAChildFromTheMaker) {
  const ForkGuard guard;
  EXPECT_FALSE(guard.InForkedChild());
  EXPECT_OK(guard.Check());
  EXPECT_EQ(InChild([&] { return guard.InForkedChild() && absl::IsFailedPrecondition(guard.Check()); }), 0);
  EXPECT_OK(guard.Check());
}

TEST(ForkGuardTest, AChildHasItsOwn) {
  const ForkGuard parents;
  EXPECT_EQ(InChild([&] {
              const ForkGuard own;
              const ForkGuard copy = parents;
              // Of its own it is the maker, and a grandchild is nobody's.
              return !own.InForkedChild() && copy.InForkedChild() &&
                     InChild([&] { return own.InForkedChild() && parents.InForkedChild(); }) == 0;
            }),
            0);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
