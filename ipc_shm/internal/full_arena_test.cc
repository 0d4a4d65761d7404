#include "ipc_shm/internal/full_arena.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(FullArenaTest, NamesWhatToRaise) {
  EXPECT_THAT(std::string(FullArenaRemedy(/*is_committed=*/false)),
              AllOf(HasSubstr("SessionOptions::arena_bytes"), Not(HasSubstr("huge pages"))));
  EXPECT_THAT(std::string(FullArenaRemedy(/*is_committed=*/true)),
              AllOf(HasSubstr("SessionOptions::arena_bytes"), HasSubstr("vm.nr_hugepages")));
}

}  // namespace
}  // namespace ipc::internal
