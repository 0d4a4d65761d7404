#include "perf_demo/choices.h"

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ChoicesTest, EveryNameIsParsed) {
  for (const Mode mode : {Mode::kSocket, Mode::kHeap, Mode::kClassic, Mode::kJemalloc}) {
    EXPECT_THAT(ParseMode("mode", Name(mode)), IsOkAndHolds(mode));
  }
  for (const ipc::WaitMode wait : {ipc::WaitMode::kAdaptive, ipc::WaitMode::kSpin, ipc::WaitMode::kSleep}) {
    EXPECT_THAT(ParseWait("wait", Name(wait)), IsOkAndHolds(wait));
  }
  for (const Verify verify : {Verify::kFirst, Verify::kAll}) {
    EXPECT_THAT(ParseVerify("verify", Name(verify)), IsOkAndHolds(verify));
  }
  for (const Cores cores : {Cores::kAuto, Cores::kAny, Cores::kOne, Cores::kTwo}) {
    EXPECT_THAT(ParseCores("cores", Name(cores)), IsOkAndHolds(cores));
  }
  EXPECT_THAT(ParseFormat("format", "table"), IsOkAndHolds(Format::kTable));
  EXPECT_THAT(ParseFormat("format", "json"), IsOkAndHolds(Format::kJson));
  EXPECT_THAT(ParseFormat("format", "tsv"), IsOkAndHolds(Format::kTsv));
}

TEST(ChoicesTest, SaysWhatThereIsInstead) {
  EXPECT_THAT(ParseMode("mode", "fast"),
              StatusIs(kInvalid, "--mode has \"fast\"; there are: socket, heap, classic, jemalloc"));
  EXPECT_THAT(ParseWait("wait", ""), StatusIs(kInvalid, "--wait has \"\"; there are: adaptive, spin, sleep"));
}

TEST(ChoicesTest, ListsOfModes) {
  EXPECT_THAT(ParseModes("modes", "heap,socket"), IsOkAndHolds(ElementsAre(Mode::kHeap, Mode::kSocket)));
  EXPECT_THAT(ParseModes("modes", "heap,,socket"), StatusIs(kInvalid));
  EXPECT_THAT(ParseModes("modes", ""), StatusIs(kInvalid));
  EXPECT_THAT(ParseModes("modes", "heap,socket,heap"), StatusIs(kInvalid, "--modes has heap twice; give it once"));
}

TEST(ChoicesTest, OnlyArenasAreZeroCopy) {
  EXPECT_FALSE(IsZeroCopy(Mode::kSocket));
  EXPECT_FALSE(IsZeroCopy(Mode::kHeap));
  EXPECT_TRUE(IsZeroCopy(Mode::kClassic));
  EXPECT_TRUE(IsZeroCopy(Mode::kJemalloc));
}

}  // namespace
}  // namespace cache_demo
