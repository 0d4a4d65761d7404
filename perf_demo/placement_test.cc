#include "perf_demo/placement.h"

#include <optional>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/testing/status_matchers.h"
#include "perf_demo/choices.h"

namespace cache_demo {
namespace {

using ::ipc::WaitMode;
using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::testing::AllOf;
using ::testing::Field;
using ::testing::HasSubstr;

auto Is(Cores cores, std::optional<int> server, std::optional<int> client) {
  return IsOkAndHolds(AllOf(Field(&Placement::cores, cores), Field(&Placement::server_processor, server),
                            Field(&Placement::client_processor, client)));
}

TEST(PlacementTest, SuitsTheWayToWait) {
  EXPECT_THAT(Place(Cores::kAuto, WaitMode::kAdaptive, {3, 5, 7}), Is(Cores::kAny, std::nullopt, std::nullopt));
  EXPECT_THAT(Place(Cores::kAuto, WaitMode::kSpin, {3, 5, 7}), Is(Cores::kTwo, 3, 7));
  EXPECT_THAT(Place(Cores::kAuto, WaitMode::kSleep, {3, 5, 7}), Is(Cores::kOne, 7, 7));
}

TEST(PlacementTest, IsAsWished) {
  for (const WaitMode wait : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    EXPECT_THAT(Place(Cores::kAny, wait, {0, 1}), Is(Cores::kAny, std::nullopt, std::nullopt));
    EXPECT_THAT(Place(Cores::kOne, wait, {0, 1}), Is(Cores::kOne, 1, 1));
    EXPECT_THAT(Place(Cores::kTwo, wait, {0, 1}), Is(Cores::kTwo, 0, 1));
  }
}

TEST(PlacementTest, OneProcessorIsNotTwo) {
  EXPECT_THAT(Place(Cores::kAuto, WaitMode::kSpin, {4}), Is(Cores::kAny, std::nullopt, std::nullopt));
  EXPECT_THAT(
      Place(Cores::kTwo, WaitMode::kSpin, {4}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--cores has \"two\", and this process may run on 1")));
}

TEST(PlacementTest, WhatTheSystemDoesNotTellIsLeftToIt) {
  EXPECT_THAT(Place(Cores::kAuto, WaitMode::kSleep, {}), Is(Cores::kAny, std::nullopt, std::nullopt));
}

}  // namespace
}  // namespace cache_demo
