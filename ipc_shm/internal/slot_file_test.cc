#include "ipc_shm/internal/slot_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::SlotLock;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SlotFileTest, SlotsHaveOneOwnerAtATime) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(std::optional<SlotLock> first, SlotLock::Acquire(folder.path(), 100, 4, "server a"));
  const auto is_taken = StatusIs(absl::StatusCode::kAlreadyExists,
                                 AllOf(HasSubstr("addresses of server b"), HasSubstr("taken by server a")));
  for (const size_t slot : {97, 99, 100, 103}) {
    EXPECT_THAT(SlotLock::Acquire(folder.path(), slot, 4, "server b"), is_taken) << slot;
  }
  EXPECT_OK(SlotLock::Acquire(folder.path(), 96, 4, "server b"));
  EXPECT_OK(SlotLock::Acquire(folder.path(), 104, 4, "server b"));
  first.reset();
  EXPECT_OK(SlotLock::Acquire(folder.path(), 100, 4, "server b"));
}

TEST(SlotFileTest, LongAndStrangeNamesAreCutToALine) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const SlotLock longest, SlotLock::Acquire(folder.path(), 0, 1, std::string(1000, 'x')));
  EXPECT_THAT(SlotLock::Acquire(folder.path(), 0, 1, "b"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(absl::StrCat("by ", std::string(127, 'x'), " ("))));
  ASSERT_OK_AND_ASSIGN(const SlotLock strange, SlotLock::Acquire(folder.path(), 1, 1, "\x1b[31m"));
  EXPECT_THAT(SlotLock::Acquire(folder.path(), 1, 1, "b"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("by another arena")));
}

// S3
TEST(SlotFileTest, WhatIsNoFileOfItsOwnIsLeftAlone) {
  const TempDir folder;
  const std::string path = absl::StrCat(folder.path(), "/slots.", geteuid());
  ASSERT_EQ(symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_FALSE(SlotLock::Acquire(folder.path(), 0, 1, "a").ok());
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(SlotLock::Acquire(folder.path(), 0, 1, "a"),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("no plain file")));
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_THAT(SlotLock::Acquire(folder.path() + "/missing", 0, 1, "a"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("missing/slots")));
}

TEST(SlotFileTest, EachFailingCallIsAnErrorAndLeavesTheSlotsFree) {
  const TempDir folder;
  const std::string path = absl::StrCat(folder.path(), "/slots.", geteuid());
  const std::vector<std::tuple<OsInstruction, absl::StatusCode, std::string>> cases = {
      {FailCall("Open", EMFILE), absl::StatusCode::kResourceExhausted, "open slot file"},
      {FailCall("Fstat", ENOMEM), absl::StatusCode::kResourceExhausted, "look at slot file"},
      {FailCall("FcntlLock", ENOLCK), absl::StatusCode::kInvalidArgument, "lock slots in"},
      {FailCall("Pwrite", ENOSPC), absl::StatusCode::kResourceExhausted, "write into slot file"},
  };
  for (const auto& [instruction, code, text] : cases) {
    {
      const OsTesting os({instruction});
      EXPECT_THAT(SlotLock::Acquire(folder.path(), 0, 1, "a"), StatusIs(code, HasSubstr(absl::StrCat(text, " ", path))))
          << instruction.where;
      EXPECT_EQ(os.interventions(), 1) << instruction.where;
    }
    EXPECT_OK(SlotLock::Acquire(folder.path(), 0, 1, "a")) << instruction.where;
  }
}

TEST(SlotFileTest, AnOwnerWhoseNameCannotBeReadStillHasTheSlots) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const SlotLock owner, SlotLock::Acquire(folder.path(), 0, 1, "server a"));
  for (const OsInstruction& instruction : {FailCall("FcntlLock", ENOMEM, {.first = 2}), FailCall("Pread", EIO)}) {
    const OsTesting os({instruction});
    EXPECT_THAT(SlotLock::Acquire(folder.path(), 0, 1, "server b"),
                StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("taken by another arena")))
        << instruction.where;
    EXPECT_EQ(os.interventions(), 1) << instruction.where;
  }
}

}  // namespace
}  // namespace ipc::testing
