// Regions of the system's huge pages.

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/huge_pages.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Reservation;
using ::testing::HasSubstr;

constexpr size_t kPage = size_t{2} << 20;

class HugeRegionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!pool_.ok()) GTEST_SKIP() << "SKIPPED: only root may reserve huge pages";
  }

  const HugePages pool_{8};
};

TEST_F(HugeRegionTest, IsOfWholeHugePagesThatAreTakenAheadAndGivenBack) {
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("huge", 3 * kPage + 1, Sharing::kManyWriters, Pages::kHuge));
  EXPECT_EQ(region.size(), 4 * kPage);
  EXPECT_EQ(region.page_bytes(), kPage);
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(0u));
  ASSERT_OK(region.PreCommit(kPage + 1, 1));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(kPage));
  std::memset(region.data() + kPage, 7, kPage);
  EXPECT_OK(region.Collapse(kPage, kPage));  // It is what it is.
  // Parts of a page stay.
  ASSERT_OK(region.Punch(kPage, kPage - 1));
  EXPECT_EQ(region.data()[kPage], std::byte{7});
  ASSERT_OK(region.Punch(kPage, kPage));
  EXPECT_THAT(region.ResidentBytes(), IsOkAndHolds(0u));
  ASSERT_OK(region.PreCommit(kPage, kPage));
  EXPECT_EQ(std::count(region.data() + kPage, region.data() + 2 * kPage, std::byte{0}), static_cast<ptrdiff_t>(kPage));
}

TEST_F(HugeRegionTest, LiesAtAnEqualAddressOnBothSides) {
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(2 * kPage));
  const uint64_t address = place.address();
  ASSERT_OK_AND_ASSIGN(Region region, Region::Create("huge", Sharing::kManyWriters, std::move(place), Pages::kHuge));
  EXPECT_EQ(region.address(), address);
  ASSERT_OK(region.PreCommit(0, kPage));
  region.data()[5] = std::byte{7};
  ASSERT_OK_AND_ASSIGN(Fd for_peer, region.OpenReadOnly());
  region = Region();
  ASSERT_OK_AND_ASSIGN(place, Reservation::At(address, 2 * kPage));
  ASSERT_OK_AND_ASSIGN(const Region mapped, Region::Map(std::move(for_peer), Access::kReadOnly, Sharing::kManyWriters,
                                                        std::move(place), Pages::kHuge));
  EXPECT_EQ(mapped.address(), address);
  EXPECT_EQ(mapped.page_bytes(), kPage);
  EXPECT_EQ(mapped.data()[5], std::byte{7});
}

// R1
TEST_F(HugeRegionTest, TheEndOfTheSystemsPagesIsAnError) {
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("huge", 20 * kPage, Sharing::kManyWriters, Pages::kHuge));
  EXPECT_OK(region.PreCommit(0, 8 * kPage));
  EXPECT_THAT(region.PreCommit(8 * kPage, kPage),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("vm.nr_hugepages")));
  ASSERT_OK(region.Punch(0, kPage));
  EXPECT_OK(region.PreCommit(8 * kPage, kPage));
}

TEST_F(HugeRegionTest, APlaceIsOfWholePages) {
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kPage + 4096));
  EXPECT_THAT(Region::Create("huge", Sharing::kManyWriters, std::move(place), Pages::kHuge),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2101248")));
}

TEST_F(HugeRegionTest, WhoAllowsHugePagesMapsOrdinaryOnesToo) {
  ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("plain", 4096, Sharing::kManyWriters));
  EXPECT_EQ(region.page_bytes(), 4096u);
  ASSERT_OK_AND_ASSIGN(Fd for_peer, region.OpenReadOnly());
  ASSERT_OK_AND_ASSIGN(const Region mapped,
                       Region::Map(std::move(for_peer), 4096, Access::kReadOnly, Sharing::kManyWriters, Pages::kHuge));
  EXPECT_EQ(mapped.page_bytes(), 4096u);
}

TEST(HugeRegionSeamTest, AKernelWithoutThemIsNamed) {
  for (const int error : {EINVAL, ENODEV, ENOENT}) {
    const OsTesting os({FailCall("MemfdCreate", error, {.first = 1, .times = 2})});
    EXPECT_THAT(Region::Create("huge", kPage, Sharing::kManyWriters, Pages::kHuge),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no huge pages of 2 MiB")));
  }
}

}  // namespace
}  // namespace ipc::testing
