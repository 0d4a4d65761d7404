#include "ipc_transport/boost_mq_pipe_queue.h"

#include <sys/resource.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/mq_names.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_transport/testing/mq_world.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/user.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::BoostQueue;

const bool own_world = MqWorldForAllTests();

bool HasName(const std::string& name) { return std::filesystem::exists(absl::StrCat("/dev/shm/", name)); }

TEST(BoostQueueTest, PassesMessagesInOrder) {
  ASSERT_OK_AND_ASSIGN(const auto queue, BoostQueue::Create(16, 2));
  EXPECT_EQ(queue->message_bytes(), 16u);
  EXPECT_EQ(queue->messages(), 2u);
  EXPECT_THAT(queue->TrySend(MakeMessage(16, 1)), IsOkAndHolds(true));
  EXPECT_THAT(queue->TrySend(MakeMessage(0, 2)), IsOkAndHolds(true));
  EXPECT_THAT(queue->TrySend(MakeMessage(1, 3)), IsOkAndHolds(false));
  EXPECT_THAT(queue->Count(), IsOkAndHolds(2u));
  Bytes buffer(16);
  EXPECT_THAT(queue->TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(16u));
  EXPECT_EQ(buffer, MakeMessage(16, 1));
  EXPECT_THAT(queue->TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(0u));
  EXPECT_THAT(queue->TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(std::nullopt));
}

TEST(BoostQueueTest, IsOpenedByName) {
  ASSERT_OK_AND_ASSIGN(const auto made, BoostQueue::Create(16, 2));
  ASSERT_OK_AND_ASSIGN(const auto opened, BoostQueue::Open(made->name()));
  made->RemoveName();
  EXPECT_FALSE(HasName(made->name()));
  EXPECT_THAT(made->TrySend(MakeMessage(5, 1)), IsOkAndHolds(true));
  Bytes buffer(16);
  EXPECT_THAT(opened->TryReceive(absl::MakeSpan(buffer)), IsOkAndHolds(5u));
  EXPECT_THAT(BoostQueue::Open(made->name()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(BoostQueueTest, TakesItsNameAlong) {
  std::string name;
  {
    ASSERT_OK_AND_ASSIGN(const auto made, BoostQueue::Create(16, 2));
    name = made->name();
    EXPECT_TRUE(HasName(name));
    {
      ASSERT_OK(BoostQueue::Open(name));
    }
    EXPECT_TRUE(HasName(name)) << "whoever only opened it does not remove it";
  }
  EXPECT_FALSE(HasName(name));
}

TEST(BoostQueueTest, ExceptionsAreErrors) {
  ASSERT_OK_AND_ASSIGN(const auto queue, BoostQueue::Create(16, 2));
  EXPECT_THAT(queue->TrySend(MakeMessage(17, 1)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(BoostQueue::Open("sluice-mq.no-such-queue"), StatusIs(absl::StatusCode::kUnavailable));
}

// R2
TEST(BoostQueueTest, WithoutDescriptorsItSaysWhatToRaise) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit few = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_THAT(BoostQueue::Create(16, 2),
              StatusIs(absl::StatusCode::kResourceExhausted, ::testing::HasSubstr("RLIMIT_NOFILE")));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// Makes a queue, tells its name, and dies without a word.
SLUICE_CHILD_ROLE(queue_maker) {
  const absl::StatusOr<std::unique_ptr<BoostQueue>> queue = BoostQueue::Create(16, 2);
  TellParent(queue.ok() ? (*queue)->name() : "");
  HearParent();
  return 0;
}

// S1, S3
TEST(BoostQueueTest, TheNextMakerRemovesTheNamesOfTheDeadAlone) {
  Child alive = Child::Start("queue_maker");
  Child dead = Child::Start("queue_maker");
  const std::string kept = alive.Hear();
  const std::string left = dead.Hear();
  dead.Kill();
  ASSERT_TRUE(HasName(left));
  ASSERT_OK(BoostQueue::Create(16, 2));
  EXPECT_FALSE(HasName(left));
  EXPECT_TRUE(HasName(kept));
  alive.Tell("end");
  EXPECT_EQ(alive.Wait(), 0);
  EXPECT_FALSE(HasName(kept));
}

SLUICE_CHILD_ROLE(other_user) {
  BecomeUser(kOtherUid, kOtherGid);
  TellParent(BoostQueue::Open(HearParent()).status().ToString());
  return 0;
}

TEST(BoostQueueTest, OtherUsersAreKeptOut) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  ASSERT_OK_AND_ASSIGN(const auto queue, BoostQueue::Create(16, 2));
  Child child = Child::Start("other_user");
  child.Tell(queue->name());
  EXPECT_THAT(child.Hear(), ::testing::HasSubstr("PERMISSION_DENIED"));
}

}  // namespace
}  // namespace ipc::testing
