#include "ipc_transport/internal/mq_names.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/user.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::MqName;
using ::ipc::internal::MqNameMaker;
using ::ipc::internal::RemoveMqNamesOfTheDead;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

// Tells a name of its own, and lives until it is told otherwise.
SLUICE_CHILD_ROLE(maker) {
  TellParent(MqName::Next().ToString());
  HearParent();
  return 0;
}

// A folder with files in it, in the place of /dev/mqueue.
class Folder {
 public:
  // Returns its argument.
  std::string Plant(const std::string& name) {
    std::ofstream(folder_.path() + "/" + name) << "";
    return name;
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  void Sweep() const { RemoveMqNamesOfTheDead(folder_.path().c_str()); }

 private:
  const TempDir folder_;
};

// A name whose maker is certainly dead: this process's pid, with another start.
std::string DeadName(uint64_t number = 0) {
  MqNameMaker maker = MqNameMaker::Self();
  maker.start_time -= 1;
  return MqName{.maker = maker, .number = number}.ToString();
}

TEST(MqNamesTest, NamesDifferAndCanBeRead) {
  const MqName first = MqName::Next();
  const MqName second = MqName::Next();
  EXPECT_NE(first.ToString(), second.ToString());
  const std::optional<MqName> read = MqName::Parse(second.ToString());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->maker, MqNameMaker::Self());
  EXPECT_EQ(read->number, second.number);
}

TEST(MqNamesTest, AMakerKnowsItself) {
  const MqNameMaker self = MqNameMaker::Self();
  EXPECT_EQ(self.pid, getpid());
  EXPECT_NE(self.namespaces, 0u);
  EXPECT_NE(self.start_time, 0u);
  EXPECT_EQ(self.boot.size(), 8u);
}

TEST(MqNamesTest, TheLongestNameFits) {
  const MqName longest = {
      .maker = {.boot = "ffffffff", .namespaces = UINT64_MAX, .pid = INT32_MAX, .start_time = UINT64_MAX},
      .number = UINT64_MAX};
  EXPECT_LE(longest.ToString().size(), ::ipc::internal::kMaxMqNameBytes);
  EXPECT_TRUE(MqName::Parse(longest.ToString()).has_value());
}

TEST(MqNamesTest, OtherNamesAreNotRead) {
  EXPECT_TRUE(MqName::Parse("sluice-mq.01234567.1.2.3.4").has_value());
  for (const char* const name :
       {"", "sluice-mq", "sluice-mq.01234567.1.2.3", "sluice-mq.01234567.1.2.3.4.5", "other-mq.01234567.1.2.3.4",
        "sluice-mq.0123456.1.2.3.4", "sluice-mq.01234567.1.0.3.4", "sluice-mq.01234567.1.-2.3.4",
        "sluice-mq.01234567.1.02.3.4", "sluice-mq.01234567. 1.2.3.4", "sluice-mq.01234567.1.2.3.",
        "sluice-mq.01234567.1.2.3.18446744073709551616", "sluice-mq.01234567.1.99999999999.3.4"}) {
    EXPECT_FALSE(MqName::Parse(name).has_value()) << name;
  }
}

// S1, S3: of the dead, not of the living.
TEST(MqNamesTest, RemovesWhatTheDeadLeft) {
  Folder folder;
  Child alive = Child::Start("maker");
  Child killed = Child::Start("maker");
  Child ended = Child::Start("maker");
  const std::string kept = folder.Plant(alive.Hear());
  folder.Plant(killed.Hear());
  folder.Plant(ended.Hear());
  killed.Kill();
  ended.Tell("end");
  EXPECT_EQ(ended.Wait(), 0);
  const std::string own = folder.Plant(MqName::Next().ToString());
  folder.Plant(DeadName());
  folder.Sweep();
  EXPECT_THAT(folder.Names(), UnorderedElementsAreArray({kept, own}));
}

// A process that nobody has waited for yet is dead all the same.
TEST(MqNamesTest, AZombieIsDead) {
  Folder folder;
  Child child = Child::Start("maker");
  const std::string name = folder.Plant(child.Hear());
  child.Tell("end");
  while (!folder.Names().empty()) folder.Sweep();
  EXPECT_EQ(child.Wait(), 0);
}

TEST(MqNamesTest, WhatCannotBeJudgedIsLeftAlone) {
  Folder folder;
  MqNameMaker maker = MqNameMaker::Self();
  maker.start_time -= 1;
  std::vector<std::string> kept;
  const auto plant = [&](MqNameMaker changed) {
    kept.push_back(folder.Plant(MqName{.maker = std::move(changed)}.ToString()));
  };
  plant({.boot = "########", .namespaces = maker.namespaces, .pid = maker.pid, .start_time = maker.start_time});
  plant({.boot = maker.boot, .namespaces = maker.namespaces + 1, .pid = maker.pid});
  plant({.boot = maker.boot, .namespaces = 0, .pid = maker.pid});
  for (const char* const name : {"queue", "sluice-mq", "sluice-mq.01234567.1.2.3", "sluice-ring"}) {
    kept.push_back(folder.Plant(name));
  }
  folder.Sweep();
  EXPECT_THAT(folder.Names(), UnorderedElementsAreArray(kept));
}

TEST(MqNamesTest, NamesOfOtherUsersAreLeftAlone) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to give files to other users";
  Folder folder;
  const std::string kept = folder.Plant(DeadName(1));
  folder.Plant(DeadName(2));
  ASSERT_EQ(chown(folder.Path(kept).c_str(), kOtherUid, kOtherGid), 0);
  folder.Sweep();
  EXPECT_THAT(folder.Names(), UnorderedElementsAreArray({kept}));
}

// N2
TEST(MqNamesTest, WithoutProcNothingIsRemoved) {
  Folder folder;
  const std::string name = folder.Plant(DeadName());
  {
    const OsTesting os({FailCall("Read", EIO, {.times = kAlways})});
    EXPECT_EQ(MqNameMaker::Self(), (MqNameMaker{.boot = "00000000", .pid = getpid()}));
    EXPECT_TRUE(MqName::Parse(MqName::Next().ToString()).has_value());
    folder.Sweep();
    EXPECT_GT(os.interventions(), 0);
  }
  for (const char* const call : {"Stat", "Lstat", "GetDents", "Open"}) {
    const OsTesting os({FailCall(call, ENOENT, {.times = kAlways})});
    folder.Sweep();
    EXPECT_GT(os.interventions(), 0) << call;
  }
  {
    const OsTesting os({FailCall("PidFdOpen", ENOSYS, {.times = kAlways})});
    folder.Sweep();
    EXPECT_GT(os.interventions(), 0);
  }
  EXPECT_THAT(folder.Names(), UnorderedElementsAreArray({name}));
  folder.Sweep();
  EXPECT_THAT(folder.Names(), IsEmpty());
}

// N2
TEST(MqNamesTest, AFolderThatIsMissingIsNoError) { RemoveMqNamesOfTheDead("/dev/no-such-folder"); }

// Tests that run beside each other, each in namespaces of its own, do not take the others' names for what they left.
TEST(MqNamesTest, TheWorldOfATestHasNoNamesOfOtherNamespaces) {
  MqName name = MqName::Next();
  const auto is_in_world = [&name] {
    const std::string path = absl::StrCat("/dev/shm/", name.ToString());
    std::ofstream(path) << "something";
    const bool is_there = World::Now().names.count(path) == 1;
    std::filesystem::remove(path);
    return is_there;
  };
  EXPECT_TRUE(is_in_world());
  name.maker.namespaces = 1;  // No namespace has this number.
  EXPECT_FALSE(is_in_world());
}

TEST(MqNamesTest, ManyNamesAreAllSeen) {
  Folder folder;
  for (uint64_t i = 0; i < 500; ++i) folder.Plant(DeadName(i));
  folder.Sweep();
  EXPECT_THAT(folder.Names(), IsEmpty());
}

// F27
TEST(MqNamesTest, InterruptedReadsAreRepeated) {
  const MqNameMaker before = MqNameMaker::Self();
  const OsTesting os({FailCall("Read", EINTR, {.times = kAlways, .every = 2})});
  EXPECT_EQ(MqNameMaker::Self(), before);
  EXPECT_GE(os.interventions(), 2);
}

}  // namespace
}  // namespace ipc::testing
