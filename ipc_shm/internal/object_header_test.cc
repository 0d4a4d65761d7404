#include "ipc_shm/internal/object_header.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/loan.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kBegin = 8192;
constexpr uint64_t kEnd = 8192 + 16384;

class ObjectHeaderTest : public ::testing::Test {
 protected:
  // An object of `type_` at `offset`, and its loan.
  shm::LoanRef Make(uint64_t offset, uint32_t generation = 7) {
    MakeHeader(region_->data() + offset, type_).generation = generation;
    return {.offset = offset, .slot = 1, .generation = 1, .object_generation = generation};
  }

  const std::shared_ptr<const Region> region_ =
      std::make_shared<const Region>(*Region::Create("objects", 40960, Sharing::kManyWriters));
  const RegionWindow window_ = {.region = region_, .offset = kBegin, .bytes = kEnd - kBegin};
  ObjectType type_ = {.id = 0x1234, .name = "my::Thing", .bytes = 160, .alignment = 8};
};

TEST_F(ObjectHeaderTest, FindsWhatIsThere) {
  for (const uint64_t offset : {kBegin + 64, kBegin + 4096, kEnd - 160}) {
    EXPECT_THAT(FindLent(window_, Make(offset), type_), IsOkAndHolds(region_->data() + offset));
  }
}

TEST_F(ObjectHeaderTest, BlocksHoldHeaderAndObject) {
  for (const size_t alignment : {1, 8, 16, 64, 128, 4096}) {
    type_.alignment = alignment;
    const ObjectPlacement placement = PlacementOf(type_);
    EXPECT_GE(placement.object_offset, sizeof(ObjectHeader));
    EXPECT_EQ(placement.object_offset % alignment, 0u);
    EXPECT_EQ(placement.block_alignment % alignment, 0u);
    EXPECT_EQ(placement.block_bytes, placement.object_offset + type_.bytes);
  }
}

// H3: places at and beyond each edge, each with a header that is right, where there is room for one.
TEST_F(ObjectHeaderTest, OffsetsOutsideTheWindowAreRefused) {
  for (const uint64_t offset : {kBegin - 160, kBegin, kBegin + 48, kEnd - 144, kEnd, kEnd + 64, kEnd + 160}) {
    EXPECT_THAT(FindLent(window_, Make(offset), type_), StatusIs(absl::StatusCode::kDataLoss)) << offset;
  }
  for (const uint64_t offset : {uint64_t{0}, uint64_t{16}, uint64_t{48}, uint64_t{64}, uint64_t{40960}, uint64_t{40976},
                                kMax, kMax - 15, kMax - 63, kMax - 159, kMax / 2 + 1, kMax - kBegin + 1}) {
    const shm::LoanRef ref = {.offset = offset, .slot = 1, .generation = 1, .object_generation = 7};
    EXPECT_THAT(FindLent(window_, ref, type_), StatusIs(absl::StatusCode::kDataLoss)) << offset;
  }
}

TEST_F(ObjectHeaderTest, OffsetsBesideAnObjectAreRefused) {
  const shm::LoanRef good = Make(kBegin + 4096);
  for (const int by : {-64, -17, -16, -8, -1, 1, 8, 15, 16, 64}) {
    shm::LoanRef ref = good;
    ref.offset += by;
    EXPECT_THAT(FindLent(window_, ref, type_), StatusIs(absl::StatusCode::kDataLoss)) << by;
  }
}

TEST_F(ObjectHeaderTest, AnObjectThatIsNotAlignedIsRefused) {
  type_.alignment = 64;
  EXPECT_OK(FindLent(window_, Make(kBegin + 4096), type_));
  EXPECT_THAT(FindLent(window_, Make(kBegin + 4096 + 16), type_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not aligned to 64")));
}

TEST_F(ObjectHeaderTest, DeadAndLaterObjectsAreRefused) {
  const shm::LoanRef ref = Make(kBegin + 4096);
  Make(kBegin + 4096, 8);
  EXPECT_THAT(FindLent(window_, ref, type_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("was destroyed")));
  const shm::LoanRef dead = Make(kBegin + 4096, 0);
  EXPECT_THAT(FindLent(window_, dead, type_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("was destroyed")));
}

TEST_F(ObjectHeaderTest, AnotherTypeIsNamed) {
  const shm::LoanRef ref = Make(kBegin + 4096);
  EXPECT_THAT(FindLent(window_, ref, {.id = 0x99, .name = "int", .bytes = 160, .alignment = 8}),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("'my::Thing'"), HasSubstr("'int'"))));
  for (const ObjectType& other : {ObjectType{.id = 0x1234, .name = "my::Thing", .bytes = 168, .alignment = 8},
                                  ObjectType{.id = 0x1234, .name = "my::Thing", .bytes = 160, .alignment = 16}}) {
    EXPECT_THAT(FindLent(window_, ref, other), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
}

TEST_F(ObjectHeaderTest, OfALongNameTheEndIsKept) {
  type_.name = "a::very::long::name::that::does::not::fit::Thing";
  const shm::LoanRef ref = Make(kBegin + 4096);
  EXPECT_THAT(FindLent(window_, ref, {.id = 1, .name = "int", .bytes = 4, .alignment = 4}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'t::does::not::fit::Thing'")));
}

TEST_F(ObjectHeaderTest, WhatAPeerCallsATypeIsNoTerminalsBusiness) {
  type_.name = "\x1b[31mred\n";
  const shm::LoanRef ref = Make(kBegin + 4096);
  EXPECT_THAT(FindLent(window_, ref, {.id = 1, .name = "int", .bytes = 4, .alignment = 4}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'?[31mred?'")));
}

TEST_F(ObjectHeaderTest, AnotherAddressInTheOwnerIsRefused) {
  const shm::LoanRef ref = Make(kBegin + 4096);
  reinterpret_cast<ObjectHeader*>(region_->data() + ref.offset - sizeof(ObjectHeader))->address += 4096;
  EXPECT_THAT(FindLent(window_, ref, type_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no equal address")));
}

// H3: anything but a loan of an object that is there.
TEST_F(ObjectHeaderTest, RandomLoansAreRefused) {
  std::mt19937_64 random(1);
  for (uint64_t offset = kBegin + 64; offset < kEnd - 160; offset += 256) Make(offset);
  for (int i = 0; i < 100'000; ++i) {
    shm::LoanRef ref = {.offset = random(), .slot = 1, .generation = 1, .object_generation = 7};
    if (i % 2 == 0) ref.offset %= 65536;
    const absl::StatusOr<std::byte*> found = FindLent(window_, ref, type_);
    if (!found.ok()) continue;
    EXPECT_TRUE(ref.offset >= kBegin + 64 && ref.offset + 160 <= kEnd && (ref.offset - kBegin - 64) % 256 == 0)
        << ref.offset;
  }
}

}  // namespace
}  // namespace ipc::internal
