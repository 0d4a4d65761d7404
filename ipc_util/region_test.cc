#include "ipc_util/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/mapping.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kPage = 4096;
constexpr int kAllSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE;

Region MakeRegion(size_t bytes, Sharing sharing) {
  absl::StatusOr<Region> region = Region::Create("test", bytes, sharing);
  EXPECT_OK(region);
  return *std::move(region);
}

Fd DuplicateOf(FdView fd) { return Duplicate(fd).value(); }

// A memfd that no region made.
Fd MakeMemfd(size_t bytes, int seals) {
  Fd memfd(memfd_create("made by hand", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(memfd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(memfd.get(), F_ADD_SEALS, seals), 0);
  return memfd;
}

Fd Reopen(FdView fd, int flags) {
  return Fd(open(absl::StrCat("/proc/self/fd/", fd.get()).c_str(), flags | O_CLOEXEC));
}

TEST(RegionTest, AnEmptyOneHoldsNothing) {
  const Region empty;
  EXPECT_FALSE(empty.valid());
  EXPECT_FALSE(empty.fd().valid());
  EXPECT_EQ(empty.data(), nullptr);
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_FALSE(empty.Contains(nullptr));
}

TEST(RegionTest, IsZeroAndWholePages) {
  for (const auto& [asked, made] : {std::pair<size_t, size_t>(1, kPage), std::pair(kPage, kPage),
                                    std::pair(kPage + 1, 2 * kPage), std::pair(10 * kPage, 10 * kPage)}) {
    for (const Sharing sharing : {Sharing::kOneWriter, Sharing::kManyWriters}) {
      const Region region = MakeRegion(asked, sharing);
      ASSERT_EQ(region.size(), made);
      EXPECT_EQ(region.bytes().size(), made);
      EXPECT_EQ(std::count(region.bytes().begin(), region.bytes().end(), std::byte{0}), static_cast<ptrdiff_t>(made));
      region.data()[made - 1] = std::byte{1};
    }
  }
}

TEST(RegionTest, RefusesSizesThatNoRegionHas) {
  for (const size_t bytes : {size_t{0}, Region::kMaxBytes + 1, SIZE_MAX}) {
    EXPECT_THAT(Region::Create("test", bytes, Sharing::kManyWriters),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("not ", bytes))));
  }
}

// Address space, not memory.
TEST(RegionTest, TakesMemoryOnlyWhereItIsTouched) {
  const Region region = MakeRegion(size_t{1} << 34, Sharing::kManyWriters);
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(0u));
  region.data()[region.size() / 2] = std::byte{1};
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(kPage));
}

TEST(RegionTest, KnowsItsBytes) {
  const Region region = MakeRegion(2 * kPage, Sharing::kManyWriters);
  EXPECT_TRUE(region.Contains(region.data()));
  EXPECT_TRUE(region.Contains(region.data() + 2 * kPage - 1));
  EXPECT_FALSE(region.Contains(region.data() + 2 * kPage));
  EXPECT_FALSE(region.Contains(region.data() - 1));
  EXPECT_FALSE(region.Contains(nullptr));
}

TEST(RegionTest, MovesWithItsBytes) {
  const World before = World::Now();
  {
    Region first = MakeRegion(kPage, Sharing::kManyWriters);
    std::byte* const data = first.data();
    Region second = std::move(first);
    EXPECT_FALSE(first.valid());  // NOLINT: what a moved-from one is, is part of the contract.
    EXPECT_EQ(second.data(), data);
    Region third = MakeRegion(2 * kPage, Sharing::kManyWriters);
    third = std::move(second);
    EXPECT_EQ(third.data(), data);
    EXPECT_EQ(third.size(), kPage);
  }
  EXPECT_EQ(World::Now(), before);
}

// F1, F2
TEST(RegionTest, IsSealed) {
  const Region one = MakeRegion(kPage, Sharing::kOneWriter);
  const Region many = MakeRegion(kPage, Sharing::kManyWriters);
  EXPECT_EQ(fcntl(one.fd().get(), F_GET_SEALS) & kAllSeals, kAllSeals);
  EXPECT_EQ(fcntl(many.fd().get(), F_GET_SEALS) & kAllSeals, kAllSeals & ~F_SEAL_FUTURE_WRITE);
  for (const Region* const region : {&one, &many}) {
    EXPECT_NE(ftruncate(region->fd().get(), 0), 0);
    EXPECT_NE(ftruncate(region->fd().get(), static_cast<off_t>(2 * kPage)), 0);
    EXPECT_NE(fcntl(region->fd().get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_EQ(fcntl(region->fd().get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST(RegionTest, TheMappingIsNamedAndGuarded) {
  const Region created = MakeRegion(kPage, Sharing::kOneWriter);
  ASSERT_OK_AND_ASSIGN(const Region mapped,
                       Region::Map(DuplicateOf(created.fd()), kPage, Access::kReadOnly, Sharing::kOneWriter));
  for (const Region* const region : {&created, &mapped}) {
    const Mapping info = MappingAt(region->data());
    EXPECT_THAT(info.head, HasSubstr("/memfd:test"));
    // Not in core dumps, not in forked children, not locked.
    EXPECT_THAT(info.flags, AllOf(Contains("dd"), Contains("dc"), Not(Contains("lo"))));
  }
  EXPECT_THAT(MappingAt(created.data()).flags, Contains("wr"));
  EXPECT_THAT(MappingAt(mapped.data()).flags, AllOf(Contains("rd"), Not(Contains("wr")), Not(Contains("mw"))));
}

// P1: the child dies of it, and of nothing else.
TEST(RegionTest, IsNoneOfAForkedChilds) {
  const Region region = MakeRegion(kPage, Sharing::kManyWriters);
  region.data()[0] = std::byte{1};
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);
    const auto value = *reinterpret_cast<volatile unsigned char*>(region.data());
    _exit(value);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_EQ(region.data()[0], std::byte{1});
}

TEST(RegionTest, AReadOnlyDescriptorMapsForReadingAlone) {
  const Region region = MakeRegion(kPage, Sharing::kManyWriters);
  ASSERT_OK_AND_ASSIGN(const Fd read_only, region.OpenReadOnly());
  EXPECT_EQ(fcntl(read_only.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_THAT(Region::Map(DuplicateOf(read_only), kPage, Access::kReadWrite, Sharing::kManyWriters),
              StatusIs(absl::StatusCode::kDataLoss));
  ASSERT_OK_AND_ASSIGN(const Region mapped,
                       Region::Map(DuplicateOf(read_only), kPage, Access::kReadOnly, Sharing::kManyWriters));
  region.data()[5] = std::byte{9};
  EXPECT_EQ(mapped.data()[5], std::byte{9});
}

TEST(RegionTest, BothMappingsWriteWhereManyMay) {
  const Region first = MakeRegion(kPage, Sharing::kManyWriters);
  ASSERT_OK_AND_ASSIGN(const Region second,
                       Region::Map(DuplicateOf(first.fd()), kPage, Access::kReadWrite, Sharing::kManyWriters));
  second.data()[5] = std::byte{9};
  EXPECT_EQ(first.data()[5], std::byte{9});
}

TEST(RegionTest, MapUpToTakesTheSizeFromTheDescriptor) {
  const Region region = MakeRegion(3 * kPage, Sharing::kOneWriter);
  for (const size_t limit : {3 * kPage, 100 * kPage}) {
    ASSERT_OK_AND_ASSIGN(const Region mapped,
                         Region::MapUpTo(DuplicateOf(region.fd()), limit, Access::kReadOnly, Sharing::kOneWriter));
    EXPECT_EQ(mapped.size(), 3 * kPage);
  }
  EXPECT_THAT(Region::MapUpTo(DuplicateOf(region.fd()), 3 * kPage - 1, Access::kReadOnly, Sharing::kOneWriter),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("12288"), HasSubstr("12287"))));
}

// D2, H1, F1: refused before a byte is mapped, and closed.
TEST(RegionTest, RefusesWhatIsNoRegion) {
  const TempDir folder;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  const Fd socket_end(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const Fd file(open((folder.path() + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(file.get(), kPage), 0);
  const Fd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Region many = MakeRegion(kPage, Sharing::kManyWriters);
  const Region one = MakeRegion(kPage, Sharing::kOneWriter);
  const Region longer = MakeRegion(2 * kPage, Sharing::kOneWriter);
  std::vector<std::pair<std::string, Fd>> wrong;
  wrong.emplace_back("nothing", Fd());
  wrong.emplace_back("the reading end of a pipe", DuplicateOf(reading));
  wrong.emplace_back("the writing end of a pipe", DuplicateOf(writing));
  wrong.emplace_back("a socket", DuplicateOf(socket_end));
  wrong.emplace_back("a file", DuplicateOf(file));
  wrong.emplace_back("a directory", DuplicateOf(directory));
  wrong.emplace_back("a device", DuplicateOf(null));
  wrong.emplace_back("a region that many write", DuplicateOf(many.fd()));
  wrong.emplace_back("a longer region", DuplicateOf(longer.fd()));
  wrong.emplace_back("a path without access", Reopen(one.fd(), O_PATH));
  wrong.emplace_back("a descriptor for writing", Reopen(one.fd(), O_WRONLY));
  wrong.emplace_back("an unsealed memfd", MakeMemfd(kPage, 0));
  wrong.emplace_back("an empty memfd", MakeMemfd(0, kAllSeals));
  wrong.emplace_back("a shorter memfd", MakeMemfd(kPage - 1, kAllSeals));
  wrong.emplace_back("a longer memfd", MakeMemfd(kPage + 1, kAllSeals));
  for (const int seal : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_FUTURE_WRITE}) {
    wrong.emplace_back(absl::StrCat("a memfd without seal ", seal), MakeMemfd(kPage, kAllSeals & ~seal));
  }
  for (auto& [what, fd] : wrong) {
    const int number = fd.get();
    const std::map<std::string, int> mappings = World::Now().mappings;
    EXPECT_THAT(Region::Map(std::move(fd), kPage, Access::kReadOnly, Sharing::kOneWriter),
                StatusIs(absl::StatusCode::kDataLoss))
        << what;
    EXPECT_EQ(World::Now().mappings, mappings) << what;
    EXPECT_NE(fcntl(number, F_GETFD), 0) << what;
  }
  EXPECT_OK(Region::Map(MakeMemfd(kPage, kAllSeals), kPage, Access::kReadOnly, Sharing::kOneWriter));
}

// H1, F1: where the system has no huge pages, nothing tells before the first look, which kills.
TEST(RegionTest, RefusesHugePages) {
  constexpr size_t kHugePage = size_t{2} << 20;
  Fd huge(memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!huge.valid()) GTEST_SKIP() << "SKIPPED: the kernel makes no memfd of huge pages";
  ASSERT_EQ(ftruncate(huge.get(), kHugePage), 0);
  ASSERT_EQ(fcntl(huge.get(), F_ADD_SEALS, kAllSeals), 0);
  EXPECT_THAT(Region::Map(std::move(huge), kHugePage, Access::kReadOnly, Sharing::kOneWriter),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("huge pages")));
}

TEST(RegionPunchTest, GivesWholePagesBackAndTheyReadAsZero) {
  const Region region = MakeRegion(8 * kPage, Sharing::kManyWriters);
  const auto fill = [&] { std::memset(region.data(), 1, region.size()); };
  fill();
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(8 * kPage));
  ASSERT_OK(region.Punch(kPage, 2 * kPage));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(6 * kPage));
  EXPECT_EQ(region.data()[kPage - 1], std::byte{1});
  EXPECT_EQ(region.data()[kPage], std::byte{0});
  EXPECT_EQ(region.data()[3 * kPage - 1], std::byte{0});
  EXPECT_EQ(region.data()[3 * kPage], std::byte{1});
  // Parts of pages stay.
  fill();
  ASSERT_OK(region.Punch(1, 3 * kPage));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(6 * kPage));
  EXPECT_EQ(region.data()[1], std::byte{1});
  EXPECT_EQ(region.data()[3 * kPage], std::byte{1});
  ASSERT_OK(region.Punch(1, kPage - 2));
  ASSERT_OK(region.Punch(0, 0));
  ASSERT_OK(region.Punch(region.size(), 0));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(6 * kPage));
  ASSERT_OK(region.Punch(0, region.size()));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(0u));
}

TEST(RegionPunchTest, RefusesWhatLiesOutside) {
  const Region region = MakeRegion(2 * kPage, Sharing::kManyWriters);
  for (const auto& [offset, bytes] :
       {std::pair<size_t, size_t>(0, 2 * kPage + 1), std::pair<size_t, size_t>(2 * kPage + 1, 0),
        std::pair<size_t, size_t>(kPage, SIZE_MAX), std::pair<size_t, size_t>(SIZE_MAX, 2)}) {
    EXPECT_THAT(region.Punch(offset, bytes), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("8192")));
  }
}

// F3
TEST(RegionPunchTest, OneWriterKeepsItsPages) {
  const Region region = MakeRegion(kPage, Sharing::kOneWriter);
  region.data()[0] = std::byte{1};
  EXPECT_THAT(region.Punch(0, kPage), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(region.data()[0], std::byte{1});
}

TEST(RegionPunchTest, AReadOnlyMappingGivesNothingBack) {
  const Region region = MakeRegion(kPage, Sharing::kManyWriters);
  region.data()[0] = std::byte{1};
  ASSERT_OK_AND_ASSIGN(Fd read_only, region.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const Region mapped,
                       Region::Map(std::move(read_only), kPage, Access::kReadOnly, Sharing::kManyWriters));
  EXPECT_THAT(mapped.Punch(0, kPage), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("read-only")));
  EXPECT_EQ(region.data()[0], std::byte{1});
}

TEST(RegionPagesTest, PreCommitTakesMemoryAhead) {
  for (const Sharing sharing : {Sharing::kManyWriters, Sharing::kOneWriter}) {
    const Region region = MakeRegion(100 * kPage, sharing);
    ASSERT_OK(region.PreCommit(10 * kPage, 20 * kPage));
    EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(20 * kPage));
    EXPECT_EQ(region.data()[15 * kPage], std::byte{0});
    EXPECT_OK(region.PreCommit(100 * kPage, 0));
  }
}

TEST(RegionPagesTest, PreCommitSaysWhatIsInTheWay) {
  const Region region = MakeRegion(kPage, Sharing::kManyWriters);
  ASSERT_OK_AND_ASSIGN(Fd read_only, region.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const Region mapped,
                       Region::Map(std::move(read_only), kPage, Access::kReadOnly, Sharing::kManyWriters));
  EXPECT_THAT(mapped.PreCommit(0, kPage), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("read-only")));
  // R1
  const OsTesting os({FailCall("Fallocate", ENOSPC)});
  EXPECT_THAT(region.PreCommit(0, kPage), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(RegionPagesTest, PopulatedPagesAreReadAsTheyWereWritten) {
  const Region region = MakeRegion(100 * kPage, Sharing::kManyWriters);
  std::memset(region.data(), 7, 100 * kPage);
  ASSERT_OK_AND_ASSIGN(Fd read_only, region.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const Region mapped,
                       Region::Map(std::move(read_only), 100 * kPage, Access::kReadOnly, Sharing::kManyWriters));
  ASSERT_OK(mapped.PopulateForReading(kPage + 100, 50 * kPage));
  // Whether a page is mapped here is bit 63 of its entry.
  const Fd pages(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  std::vector<uint64_t> entries(100);
  const off_t first = static_cast<off_t>(reinterpret_cast<uintptr_t>(mapped.data()) / kPage * sizeof(uint64_t));
  const ssize_t wanted = static_cast<ssize_t>(entries.size() * sizeof(uint64_t));
  ASSERT_EQ(pread(pages.get(), entries.data(), wanted, first), wanted);
  for (size_t i = 1; i <= 51; ++i) EXPECT_NE(entries[i] >> 63, 0u) << i;
  EXPECT_EQ(entries[90] >> 63, 0u);
  EXPECT_EQ(mapped.data()[50 * kPage], std::byte{7});
}

TEST(RegionPagesTest, CollapsedPagesKeepTheirContent) {
  constexpr size_t kBytes = size_t{8} << 20;
  // At the start of a slot, so that huge pages fit.
  ASSERT_OK_AND_ASSIGN(ipc::internal::Reservation place, ipc::internal::Reservation::Anywhere(kBytes));
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("huge", Sharing::kManyWriters, std::move(place)));
  std::memset(region.data(), 7, kBytes);
  const absl::Status collapsed = region.Collapse(0, kBytes);
  EXPECT_EQ(std::count(region.data(), region.data() + kBytes, std::byte{7}), static_cast<ptrdiff_t>(kBytes));
  if (!collapsed.ok()) GTEST_SKIP() << "SKIPPED: no huge pages here: " << collapsed;
}

TEST(RegionPagesTest, WhatTheSystemDoesNotOfferIsSaid) {
  const Region region = MakeRegion(kPage, Sharing::kManyWriters);
  const OsTesting os({FailCall("Madvise", EINVAL, {.first = 1, .times = 2})});
  EXPECT_THAT(region.Collapse(0, kPage), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("Linux 6.1")));
  EXPECT_THAT(region.PopulateForReading(0, kPage),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("Linux 5.14")));
}

TEST(RegionPagesTest, RefuseWhatLiesOutside) {
  const Region region = MakeRegion(kPage, Sharing::kManyWriters);
  for (const auto& [offset, bytes] : {std::pair<size_t, size_t>(1, kPage), std::pair<size_t, size_t>(kPage + 1, 0),
                                      std::pair<size_t, size_t>(~size_t{0}, 2)}) {
    EXPECT_THAT(region.PreCommit(offset, bytes), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(region.Collapse(offset, bytes), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(region.PopulateForReading(offset, bytes), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

// R2, R3: each call in turn fails, until all pass; nothing is left behind.
TEST(RegionFaultTest, CreateSurvivesEachFailingCall) {
  const World before = World::Now();
  for (const char* const function :
       {"MemfdCreate", "Fchmod", "Ftruncate", "Mmap", "Munlock", "Madvise", "Mprotect", "Fcntl"}) {
    for (int nth = 1;; ++nth) {
      ASSERT_LT(nth, 10);
      const OsTesting os({FailCall(function, ENOMEM, {.first = nth})});
      const absl::StatusOr<Region> region = Region::Create("test", kPage, Sharing::kOneWriter);
      if (os.interventions() == 0) {
        EXPECT_OK(region);
        EXPECT_GT(nth, 1) << function << " is not called";
        break;
      }
      EXPECT_THAT(region, StatusIs(absl::StatusCode::kResourceExhausted)) << function << " " << nth;
      EXPECT_EQ(World::Now(), before);
    }
  }
}

TEST(RegionFaultTest, MapSurvivesEachFailingCall) {
  const Region region = MakeRegion(kPage, Sharing::kOneWriter);
  const World before = World::Now();
  for (const char* const function : {"Mmap", "Munlock", "Madvise", "Mprotect", "Fcntl", "Fstat", "Fstatfs"}) {
    for (int nth = 1;; ++nth) {
      ASSERT_LT(nth, 10);
      Fd copy = DuplicateOf(region.fd());
      const OsTesting os({FailCall(function, ENOMEM, {.first = nth})});
      const absl::StatusOr<Region> mapped = Region::Map(std::move(copy), kPage, Access::kReadOnly, Sharing::kOneWriter);
      if (os.interventions() == 0) {
        EXPECT_OK(mapped);
        EXPECT_GT(nth, 1) << function << " is not called";
        break;
      }
      EXPECT_THAT(mapped, Not(IsOk())) << function << " " << nth;
      EXPECT_EQ(World::Now(), before);
    }
  }
}

// Before Linux 6.3 there is no MFD_NOEXEC_SEAL.
TEST(RegionFaultTest, CreateDoesWithoutTheNewestFlag) {
  const OsTesting os({FailCall("MemfdCreate", EINVAL)});
  EXPECT_OK(Region::Create("test", kPage, Sharing::kOneWriter));
  EXPECT_EQ(os.calls("MemfdCreate"), 2);
}

}  // namespace
}  // namespace ipc::testing
