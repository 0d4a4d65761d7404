#include "ipc_util/testing/world.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/child.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SLUICE_CHILD_ROLE(waits) {
  HearParent();
  return 0;
}

TEST(WorldTest, IsTheSameWhereNothingHappened) { EXPECT_EQ(World::Now(), World::Now()); }

TEST(WorldTest, SeesDescriptors) {
  const World before = World::Now();
  {
    const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(World::Now().descriptors.count(absl::StrCat(null.get(), " -> /dev/null")), 1u);
    EXPECT_NE(World::Now(), before);
  }
  EXPECT_EQ(World::Now(), before);
}

TEST(WorldTest, SeesMappings) {
  const World before = World::Now();
  void* address;
  {
    const Fd memfd(memfd_create("world", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(memfd.get(), 4096), 0);
    address = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, memfd.get(), 0);
    ASSERT_NE(address, MAP_FAILED);
  }
  World after = World::Now();
  EXPECT_NE(after, before);
  EXPECT_EQ(after.mappings.size(), before.mappings.size() + 1);
  ASSERT_EQ(munmap(address, 4096), 0);
  EXPECT_EQ(World::Now(), before);
}

TEST(WorldTest, SeesThreads) {
  std::thread([] {}).join();  // With the first one the thread sanitizer starts one of its own.
  const World before = World::Now();
  std::thread thread([&] { EXPECT_EQ(World::Now().threads, before.threads + 1); });
  thread.join();
}

// Other tests that run now see neither name.
TEST(WorldTest, SeesNamesOfItsOwnPidNamespace) {
  struct stat own;
  ASSERT_EQ(stat("/proc/self/ns/pid", &own), 0);
  constexpr ino_t kNobodys = 1;
  const World before = World::Now();
  for (const ino_t pid_namespace : {own.st_ino, kNobodys}) {
    const std::string name = absl::StrCat("/sluice-mq.00000000.", pid_namespace, ".", getpid(), ".0.0");
    const Fd shm(shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    ASSERT_TRUE(shm.valid());
    EXPECT_EQ(World::Now().names.count(absl::StrCat("/dev/shm", name)), pid_namespace == own.st_ino ? 1u : 0u);
    ASSERT_EQ(shm_unlink(name.c_str()), 0);
    EXPECT_EQ(World::Now().names, before.names);
  }
}

TEST(WorldTest, SeesChildren) {
  const World before = World::Now();
  {
    const Child child = Child::Start("waits");
    EXPECT_THAT(World::Now().children, ElementsAre(absl::StrCat(child.pid())));
  }
  EXPECT_EQ(World::Now(), before);
}

TEST(WorldTest, PrintsWhatItSaw) {
  std::ostringstream out;
  out << World{.descriptors = {"3 -> x"},
               .mappings = {{"/memfd:y", 2}},
               .threads = 4,
               .names = {"/dev/shm/z"},
               .children = {"5"}};
  for (const char* const part : {"4 threads", "descriptor 3 -> x", "mapped 2 x /memfd:y", "/dev/shm/z", "child 5"}) {
    EXPECT_THAT(out.str(), HasSubstr(part));
  }
}

}  // namespace
}  // namespace ipc::testing
