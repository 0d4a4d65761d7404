#include "perf_demo/sizes.h"

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(SizesTest, Parses) {
  EXPECT_THAT(ParseSize("sizes", "0"), IsOkAndHolds(0u));
  EXPECT_THAT(ParseSize("sizes", "7"), IsOkAndHolds(7u));
  EXPECT_THAT(ParseSize("sizes", "7B"), IsOkAndHolds(7u));
  EXPECT_THAT(ParseSize("sizes", "100KB"), IsOkAndHolds(100'000u));
  EXPECT_THAT(ParseSize("sizes", "12MB"), IsOkAndHolds(12'000'000u));
  EXPECT_THAT(ParseSize("sizes", "1GB"), IsOkAndHolds(1'000'000'000u));
}

TEST(SizesTest, RefusesWhatIsNoSize) {
  for (const char* const text : {"", "KB", "1.5MB", "-1", "+1", " 1", "1 KB", "1kb", "1TB", "0x10", "1KBB",
                                 "99999999999999999999", "18446744073709551615GB"}) {
    EXPECT_THAT(ParseSize("sizes", text), StatusIs(kInvalid, HasSubstr(text))) << text;
  }
}

TEST(SizesTest, TheLimitIsALimit) {
  EXPECT_THAT(ParseSize("sizes", "100GB"), IsOkAndHolds(kMaxFileBytes));
  EXPECT_THAT(ParseSize("sizes", "100000000001"), StatusIs(kInvalid, HasSubstr("at most 100GB")));
  EXPECT_THAT(ParseSize("sizes", "101GB"), StatusIs(kInvalid));
}

TEST(SizesTest, Lists) {
  EXPECT_THAT(ParseSizes("sizes", "1MB,100KB"), IsOkAndHolds(ElementsAre(1'000'000, 100'000)));
  EXPECT_THAT(ParseSizes("sizes", "1MB,"), StatusIs(kInvalid));
  EXPECT_THAT(ParseSizes("sizes", "1MB,1000KB"), StatusIs(kInvalid, "--sizes has 1MB twice; give it once"));
}

TEST(SizesTest, WhatIsFormattedParses) {
  for (const uint64_t bytes : {0, 1, 999, 1'000, 1'001, 1'500'000, 1'000'000'000}) {
    EXPECT_THAT(ParseSize("sizes", FormatSize(bytes)), IsOkAndHolds(bytes));
  }
  EXPECT_EQ(FormatSize(0), "0B");
  EXPECT_EQ(FormatSize(1'500'000), "1500KB");
  EXPECT_EQ(FormatSize(1'000'000'000), "1GB");
}

}  // namespace
}  // namespace cache_demo
