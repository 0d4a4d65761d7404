#include "ipc_util/internal/address_space.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AddressWindow;
using ::ipc::internal::Reservation;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kBytes = size_t{1} << 20;

TEST(AddressSpaceTest, WhatFitsBeginsAtASlotAndEndsInTheWindow) {
  EXPECT_TRUE(AddressWindow::Fits(AddressWindow::kBegin, 1));
  EXPECT_TRUE(AddressWindow::Fits(AddressWindow::kBegin, AddressWindow::kEnd - AddressWindow::kBegin));
  EXPECT_TRUE(AddressWindow::Fits(AddressWindow::kEnd - AddressWindow::kSlotBytes, AddressWindow::kSlotBytes));
  EXPECT_FALSE(AddressWindow::Fits(AddressWindow::kBegin, 0));
  EXPECT_FALSE(AddressWindow::Fits(AddressWindow::kBegin, AddressWindow::kEnd - AddressWindow::kBegin + 1));
  EXPECT_FALSE(AddressWindow::Fits(AddressWindow::kBegin + 4096, 1));
  EXPECT_FALSE(AddressWindow::Fits(AddressWindow::kBegin - AddressWindow::kSlotBytes, 1));
  EXPECT_FALSE(AddressWindow::Fits(AddressWindow::kEnd, 1));
  EXPECT_FALSE(AddressWindow::Fits(AddressWindow::kEnd - AddressWindow::kSlotBytes, AddressWindow::kSlotBytes + 1));
  EXPECT_FALSE(AddressWindow::Fits(0, 1));
  EXPECT_FALSE(AddressWindow::Fits(std::numeric_limits<uint64_t>::max(), std::numeric_limits<uint64_t>::max()));
}

TEST(AddressSpaceTest, WhatIsReservedIsTaken) {
  ASSERT_OK_AND_ASSIGN(std::optional<Reservation> first, Reservation::Anywhere(kBytes));
  const uint64_t address = first->address();
  EXPECT_TRUE(AddressWindow::Fits(address, first->size()));
  EXPECT_LT(address, AddressWindow::AddressOf(AddressWindow::kFirstNamedSlot));
  EXPECT_THAT(Reservation::At(address, 1),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("something else lies there")));
  first.reset();
  EXPECT_OK(Reservation::At(address, kBytes));
}

TEST(AddressSpaceTest, OnlyAddressesOfTheWindowCanBeReserved) {
  EXPECT_THAT(Reservation::At(AddressWindow::kBegin - AddressWindow::kSlotBytes, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("do not fit")));
  EXPECT_THAT(Reservation::Anywhere(0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(
      Reservation::Anywhere(AddressWindow::AddressOf(AddressWindow::kFirstNamedSlot) - AddressWindow::kBegin + 1),
      StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(AddressSpaceTest, ARegionTakesTheReservedPlace) {
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kBytes));
  const uint64_t address = place.address();
  {
    ASSERT_OK_AND_ASSIGN(const Region region, Region::Create("placed", Sharing::kManyWriters, std::move(place)));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(region.data()), address);
    EXPECT_EQ(region.size(), kBytes);
    std::memset(region.data(), 1, kBytes);
    EXPECT_THAT(Reservation::At(address, kBytes), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_OK(Reservation::At(address, kBytes)) << "the region unmaps itself";
}

TEST(AddressSpaceTest, AReceivedRegionTakesTheReservedPlace) {
  ASSERT_OK_AND_ASSIGN(const Region made, Region::Create("made", kBytes, Sharing::kManyWriters));
  made.data()[7] = std::byte{42};
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kBytes));
  const uint64_t address = place.address();
  ASSERT_OK_AND_ASSIGN(Fd descriptor, Duplicate(made.fd()));
  ASSERT_OK_AND_ASSIGN(const Region received,
                       Region::Map(std::move(descriptor), Access::kReadOnly, Sharing::kManyWriters, std::move(place)));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(received.data()), address);
  EXPECT_EQ(received.data()[7], std::byte{42});
}

TEST(AddressSpaceTest, WhatIsRefusedGivesItsPlaceBack) {
  ASSERT_OK_AND_ASSIGN(const Region made, Region::Create("made", kBytes, Sharing::kManyWriters));
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(2 * kBytes));
  const uint64_t address = place.address();
  ASSERT_OK_AND_ASSIGN(Fd descriptor, Duplicate(made.fd()));
  EXPECT_THAT(Region::Map(std::move(descriptor), Access::kReadOnly, Sharing::kManyWriters, std::move(place)),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_OK(Reservation::At(address, kBytes));
}

TEST(AddressSpaceTest, WithoutMemoryForMappingsThereIsNoReservation) {
  ASSERT_OK_AND_ASSIGN(std::optional<Reservation> place, Reservation::Anywhere(kBytes));
  const uint64_t address = place->address();
  place.reset();
  const OsTesting os({FailCall("Mmap", ENOMEM, {.times = kAlways})});
  EXPECT_THAT(Reservation::At(address, kBytes),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("cannot reserve 1048576 bytes"), HasSubstr("vm.max_map_count"))));
  EXPECT_THAT(Reservation::Anywhere(kBytes),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("no free addresses"), HasSubstr("vm.max_map_count"))));
  EXPECT_EQ(os.calls("Mmap"), 1 + 64);
}

}  // namespace
}  // namespace ipc::testing
