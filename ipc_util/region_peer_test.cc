// Regions between processes: what a peer cannot do to one, and what a process's limits do to it.

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/user.h"

namespace ipc::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

constexpr size_t kPage = 4096;

// Tells each way in that it finds to a region of one page, then "done". Arguments: the user it is.
SLUICE_CHILD_ROLE(intruder) {
  if (arguments[0] == "other") BecomeUser(kOtherUid, kOtherGid);
  const Fd inherited = InheritedFd();
  const Fd reopened(open(absl::StrCat("/proc/self/fd/", inherited.get()).c_str(), O_RDWR | O_CLOEXEC));
  for (const auto& [name, fd] : {std::pair("inherited", inherited.view()), std::pair("reopened", reopened.view())}) {
    if (!fd.valid()) continue;
    const auto tell = [&, name = name](absl::string_view way) { TellParent(absl::StrCat(name, ": ", way)); };
    if (mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0) != MAP_FAILED) tell("mmap");
    void* const mapped = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) tell("cannot even read");
    if (mprotect(mapped, kPage, PROT_READ | PROT_WRITE) == 0) tell("mprotect");
    if (madvise(mapped, kPage, MADV_REMOVE) == 0) tell("madvise");
    if (pwrite(fd.get(), "x", 1, 0) >= 0) tell("pwrite");
    if (ftruncate(fd.get(), 0) == 0 || ftruncate(fd.get(), 2 * kPage) == 0) tell("ftruncate");
    if (fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage) == 0) tell("fallocate");
    if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0) tell("seal");
  }
  TellParent("done");
  return 0;
}

std::vector<std::string> WaysIn(const std::string& user, FdView fd) {
  Child child = Child::Start("intruder", {user}, {.environment = {}, .inherited = fd});
  std::vector<std::string> ways;
  for (std::string line = child.Hear(); line != "done"; line = child.Hear()) {
    ways.push_back(line);
    if (line.empty()) break;
  }
  return ways;
}

// F2, F3, F4, H5: the same uid too, and by the descriptor that can write.
TEST(RegionPeerTest, NobodyGetsIntoARegionWithOneWriter) {
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("test", kPage, Sharing::kOneWriter));
  ASSERT_OK_AND_ASSIGN(const Fd read_only, region.OpenReadOnly());
  std::memset(region.data(), 7, kPage);
  for (const FdView fd : {region.fd(), read_only.view()}) {
    EXPECT_THAT(WaysIn("same", fd), IsEmpty());
    if (CanBecomeUsers()) {
      EXPECT_THAT(WaysIn("other", fd), IsEmpty());
    }
  }
  EXPECT_EQ(region.data()[0], std::byte{7});
  region.data()[0] = std::byte{8};
}

// F4, H5: a region with many writers, which another user was given for reading.
TEST(RegionPeerTest, AnotherUserCannotReopenForWritingWhatItMayRead) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("test", kPage, Sharing::kManyWriters));
  ASSERT_OK_AND_ASSIGN(const Fd read_only, region.OpenReadOnly());
  EXPECT_THAT(WaysIn("other", read_only), IsEmpty());
}

// The intruder does find a way where there is one.
TEST(RegionPeerTest, ManyWritersMayWriteButNotResize) {
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("test", kPage, Sharing::kManyWriters));
  EXPECT_THAT(WaysIn("same", region.fd()), IsSupersetOf({"inherited: mmap", "inherited: mprotect", "inherited: madvise",
                                                         "inherited: pwrite", "inherited: fallocate"}));
  EXPECT_THAT(WaysIn("same", region.fd()), Each(Not(HasSubstr("ftruncate"))));
  EXPECT_THAT(WaysIn("same", region.fd()), Each(Not(HasSubstr("seal"))));
}

SLUICE_CHILD_ROLE(writer) {
  const absl::StatusOr<Region> region = Region::Map(InheritedFd(), kPage, Access::kReadWrite, Sharing::kManyWriters);
  if (!region.ok()) {
    TellParent(region.status().ToString());
    return 1;
  }
  region->data()[3] = std::byte{4};
  TellParent("written");
  return 0;
}

TEST(RegionPeerTest, WhatAPeerWritesIsSeen) {
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("test", kPage, Sharing::kManyWriters));
  Child child = Child::Start("writer", {}, {.environment = {}, .inherited = region.fd()});
  ASSERT_EQ(child.Hear(), "written");
  EXPECT_EQ(region.data()[3], std::byte{4});
}

std::string TryToCreate(size_t bytes) { return Region::Create("test", bytes, Sharing::kOneWriter).status().ToString(); }

void SetLimit(int resource, size_t bytes) {
  const rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
  if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) TellParent("cannot limit");
}

SLUICE_CHILD_ROLE(limited_files) {
  SetLimit(RLIMIT_FSIZE, 2 * kPage);
  for (const size_t bytes : {2 * kPage, 2 * kPage + 1}) TellParent(TryToCreate(bytes));
  return 0;
}

// R1, F6: an error that says what to raise, and no SIGXFSZ.
TEST(RegionLimitTest, RlimitFsize) {
  Child child = Child::Start("limited_files");
  EXPECT_EQ(child.Hear(), "OK");
  EXPECT_EQ(child.Hear(),
            "RESOURCE_EXHAUSTED: a region of 12288 bytes exceeds RLIMIT_FSIZE, 8192 bytes; raise it (ulimit -f)");
  EXPECT_EQ(child.Wait(), 0);
}

constexpr size_t kLimitedAddressSpace = size_t{1} << 32;

SLUICE_CHILD_ROLE(limited_addresses) {
  SetLimit(RLIMIT_AS, kLimitedAddressSpace);
  for (const size_t bytes : {kPage, kLimitedAddressSpace, kLimitedAddressSpace + 1}) TellParent(TryToCreate(bytes));
  TellParent(Region::MapUpTo(InheritedFd(), kLimitedAddressSpace * 2, Access::kReadOnly, Sharing::kOneWriter)
                 .status()
                 .ToString());
  return 0;
}

// R1
TEST(RegionLimitTest, RlimitAs) {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
  GTEST_SKIP() << "the sanitizer's own address space exceeds every limit";
#endif
  ASSERT_OK_AND_ASSIGN(const Region large, Region::Create("test", kLimitedAddressSpace * 2, Sharing::kOneWriter));
  Child child = Child::Start("limited_addresses", {}, {.environment = {}, .inherited = large.fd()});
  EXPECT_EQ(child.Hear(), "OK");
  // Within the limit, but the process has mapped something already.
  EXPECT_THAT(child.Hear(), StartsWith("RESOURCE_EXHAUSTED: map a region of 4294967296 bytes (limits: RLIMIT_AS"));
  EXPECT_THAT(child.Hear(), HasSubstr("exceeds RLIMIT_AS, 4294967296 bytes; raise it (ulimit -v)"));
  EXPECT_THAT(child.Hear(), HasSubstr("exceeds RLIMIT_AS"));
  EXPECT_EQ(child.Wait(), 0);
}

// How much memory of this process is locked.
size_t LockedBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    size_t kilobytes;
    if (word == "VmLck:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

SLUICE_CHILD_ROLE(locks_all_memory) {
  if (mlockall(MCL_FUTURE) != 0) {
    TellParent("cannot lock");
    return 0;
  }
  constexpr size_t kBytes = 1024 * kPage;
  const Fd plain(memfd_create("plain", MFD_CLOEXEC));
  struct stat file = {};
  if (ftruncate(plain.get(), kBytes) != 0 ||
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, plain.get(), 0) == MAP_FAILED ||
      fstat(plain.get(), &file) != 0 || file.st_blocks == 0) {
    TellParent("locks nothing");
    return 0;
  }
  const size_t locked = LockedBytes();
  const absl::StatusOr<Region> region = Region::Create("test", kBytes, Sharing::kManyWriters);
  if (!region.ok()) {
    TellParent(region.status().ToString());
    return 1;
  }
  const bool is_locked = LockedBytes() >= locked + kBytes;
  TellParent(absl::StrCat("filled ", region->ResidentBytes().value_or(kBytes), is_locked ? ", locked" : ""));
  return 0;
}

TEST(RegionLimitTest, MlockallFillsNoRegion) {
  const std::string heard = Child::Start("locks_all_memory").Hear();
  if (heard == "cannot lock") GTEST_SKIP() << "SKIPPED: needs CAP_IPC_LOCK";
  if (heard == "locks nothing") GTEST_SKIP() << "sanitizers switch mlockall off";
  EXPECT_EQ(heard, "filled 0");
}

}  // namespace
}  // namespace ipc::testing
