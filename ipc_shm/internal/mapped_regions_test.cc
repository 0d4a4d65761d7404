#include "ipc_shm/internal/mapped_regions.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr uint64_t kBytes = uint64_t{1} << 20;

ReceivedRegion Received(const Region& region) { return {.fd = *Duplicate(region.fd()), .bytes = region.size()}; }

// Of another process: this one has it mapped nowhere.
ReceivedRegion FromElsewhere() { return Received(*Region::Create("elsewhere", kBytes, Sharing::kManyWriters)); }

TEST(MappedRegionsTest, PlacesAreReservedAndDiffer) {
  const std::vector<Reservation> places = ReservePlaces(kBytes);
  const std::vector<uint64_t> addresses = AddressesOf(places);
  ASSERT_THAT(addresses, SizeIs(6));
  for (const uint64_t address : addresses) {
    EXPECT_TRUE(AddressWindow::Fits(address, kBytes));
    EXPECT_FALSE(Reservation::At(address, kBytes).ok());
  }
}

TEST(MappedRegionsTest, WhereARegionLayIsProposedAgain) {
  ASSERT_OK_AND_ASSIGN(auto region, MakeRegion("made", kBytes, {}));
  const uint64_t address = region->address();
  EXPECT_THAT(AddressesOf(ReservePlaces(kBytes)), Not(Contains(address)));
  region.reset();
  for (int i = 0; i < 2; ++i) {
    const std::vector<Reservation> places = ReservePlaces(kBytes);
    EXPECT_EQ(AddressesOf(places)[0], address);
    EXPECT_THAT(AddressesOf(ReservePlaces(kBytes)), Not(Contains(address)));
  }
}

TEST(MappedRegionsTest, PlacesOfNamesAreNotProposed) {
  const uint64_t named = AddressWindow::AddressOf(AddressWindow::kFirstNamedSlot);
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::At(named, kBytes));
  ASSERT_OK_AND_ASSIGN(auto region, MakeRegionAt("named", std::move(place)));
  region.reset();
  EXPECT_THAT(AddressesOf(ReservePlaces(kBytes)), Not(Contains(named)));
}

TEST(MappedRegionsTest, ARegionIsMadeAtTheFirstProposalThatIsFree) {
  std::vector<Reservation> places = ReservePlaces(kBytes);
  const std::vector<uint64_t> addresses = AddressesOf(places);
  places.pop_back();
  ASSERT_OK_AND_ASSIGN(const auto region, MakeRegion("made", kBytes, addresses));
  EXPECT_EQ(region->address(), addresses.back());
  // None is free now: another place in the window.
  ASSERT_OK_AND_ASSIGN(const auto other, MakeRegion("made too", kBytes, addresses));
  EXPECT_TRUE(AddressWindow::Fits(other->address(), kBytes));
}

TEST(MappedRegionsTest, WhatHasNoPlaceInTheWindowIsMadeAnywhere) {
  const uint64_t too_large = AddressWindow::AddressOf(AddressWindow::kFirstNamedSlot) - AddressWindow::kBegin + 1;
  if (too_large <= Region::kMaxBytes) {
    ASSERT_OK_AND_ASSIGN(const auto region, MakeRegion("large", too_large, {}));
    EXPECT_FALSE(AddressWindow::Fits(region->address(), region->size()));
  } else {
    EXPECT_THAT(MakeRegion("large", too_large, {}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(MappedRegionsTest, TwoUsersShareOneMapping) {
  ASSERT_OK_AND_ASSIGN(auto made, MakeRegion("shared", kBytes, {}));
  ASSERT_OK_AND_ASSIGN(auto writer, MapReceived(Received(*made), Access::kReadWrite, made->address()));
  ASSERT_OK_AND_ASSIGN(auto reader, MapReceived(Received(*made), Access::kReadOnly, /*address=*/0));
  EXPECT_EQ(writer, made);
  EXPECT_EQ(reader, made);
  ReceivedRegion wrong = Received(*made);
  wrong.bytes = 2 * kBytes;
  EXPECT_THAT(MapReceived(std::move(wrong), Access::kReadOnly, 0),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not the agreed 2097152")));
  // It is on the list until the last of them lets go.
  const uint64_t address = made->address();
  ReceivedRegion late = Received(*made);
  made.reset();
  writer.reset();
  EXPECT_FALSE(Reservation::At(address, kBytes).ok());
  reader.reset();
  EXPECT_OK(Reservation::At(address, kBytes));
  EXPECT_OK(MapReceived(std::move(late), Access::kReadOnly, address));
}

TEST(MappedRegionsTest, AWriterDoesNotShareAReadersMapping) {
  const Region origin = *Region::Create("elsewhere", kBytes, Sharing::kManyWriters);
  ASSERT_OK_AND_ASSIGN(const auto reader, MapReceived(Received(origin), Access::kReadOnly, 0));
  ASSERT_OK_AND_ASSIGN(const auto writer, MapReceived(Received(origin), Access::kReadWrite, 0));
  EXPECT_NE(reader, writer);
  writer->data()[5] = std::byte{1};
  EXPECT_EQ(reader->data()[5], std::byte{1});
  ASSERT_OK_AND_ASSIGN(const auto third, MapReceived(Received(origin), Access::kReadOnly, 0));
  EXPECT_EQ(third, writer);
}

TEST(MappedRegionsTest, AReceivedRegionLiesWhereItsOwnerSays) {
  std::vector<Reservation> places = ReservePlaces(kBytes);
  const std::vector<uint64_t> addresses = AddressesOf(places);
  ASSERT_OK_AND_ASSIGN(const auto region,
                       MapReceived(FromElsewhere(), Access::kReadWrite, addresses[1], std::move(places)));
  EXPECT_EQ(region->address(), addresses[1]);
  EXPECT_OK(Reservation::At(addresses[0], kBytes)) << "the other places are given back";
  EXPECT_OK(Reservation::At(addresses[2], kBytes));
}

TEST(MappedRegionsTest, AReceivedRegionLiesAtTheFirstProposalThatIsFree) {
  std::vector<Reservation> places = ReservePlaces(kBytes);
  const std::vector<uint64_t> addresses = AddressesOf(places);
  ASSERT_OK_AND_ASSIGN(const auto elsewhere, MapReceivedAtOneOf(FromElsewhere(), Access::kReadOnly, addresses));
  EXPECT_THAT(addresses, Not(Contains(elsewhere->address())));
  places.erase(places.begin() + 2);
  ASSERT_OK_AND_ASSIGN(const auto region, MapReceivedAtOneOf(FromElsewhere(), Access::kReadOnly, addresses));
  EXPECT_EQ(region->address(), addresses[2]);
}

TEST(MappedRegionsTest, AMovedRegionIsTheSameElsewhere) {
  ASSERT_OK_AND_ASSIGN(auto region, MakeRegion("moved", kBytes, {}));
  region->data()[5] = std::byte{7};
  const uint64_t old_address = region->address();
  ASSERT_OK_AND_ASSIGN(Reservation place, Reservation::Anywhere(kBytes));
  const uint64_t address = place.address();
  ASSERT_OK_AND_ASSIGN(const auto moved, MoveRegion(*region, std::move(place)));
  EXPECT_EQ(moved->address(), address);
  EXPECT_EQ(moved->data()[5], std::byte{7});
  region.reset();
  EXPECT_OK(Reservation::At(old_address, kBytes));
  ASSERT_OK_AND_ASSIGN(const auto reader, MapReceived(Received(*moved), Access::kReadOnly, old_address));
  EXPECT_EQ(reader, moved) << "it is the one that others share";
}

TEST(MappedRegionsTest, AReservationOfAnotherSizeIsMadeAnew) {
  std::vector<Reservation> places = ReservePlaces(kBytes / 2);
  const uint64_t address = AddressesOf(places)[0];
  ASSERT_OK_AND_ASSIGN(const auto region, MapReceived(FromElsewhere(), Access::kReadWrite, address, std::move(places)));
  EXPECT_EQ(region->address(), address);
}

TEST(MappedRegionsTest, WhereAnEqualAddressCannotBeItLiesElsewhere) {
  ASSERT_OK_AND_ASSIGN(const Reservation taken, Reservation::Anywhere(kBytes));
  for (const uint64_t address : {taken.address(), uint64_t{0}, uint64_t{4096}, UINT64_MAX}) {
    ASSERT_OK_AND_ASSIGN(const auto region, MapReceived(FromElsewhere(), Access::kReadOnly, address));
    EXPECT_NE(region->address(), address);
  }
}

}  // namespace
}  // namespace ipc::internal
