#include "ipc_session/internal/session_census.h"

#include <memory>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ipc::internal::SessionCensus;

constexpr uid_t kAnna = 1;
constexpr uid_t kBert = 2;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

// A session of `uid` that is counted in `census`.
CorePair Open(SessionCensus& census, uid_t uid) {
  CorePair pair = MakeCorePair(1);
  census.Admit(uid).value().Fill(pair.first);
  return pair;
}

TEST(SessionCensusTest, TheLastPlacePerUidAndOnePast) {
  SessionCensus census({.total = 10, .per_uid = 2});
  const CorePair first = Open(census, kAnna);
  const CorePair second = Open(census, kAnna);
  const absl::Status status = census.Admit(kAnna).status();
  EXPECT_THAT(status, StatusIs(kExhausted,
                               "there are 2 sessions (max_sessions 10), 2 of uid 1 "
                               "(max_sessions_per_uid 2)"));
  EXPECT_EQ(ReasonOf(status), Reason::kLimit);
  EXPECT_OK(census.Admit(kBert));
}

TEST(SessionCensusTest, TheLastPlaceInAllAndOnePast) {
  SessionCensus census({.total = 2, .per_uid = 2});
  const CorePair first = Open(census, kAnna);
  const CorePair second = Open(census, kBert);
  EXPECT_THAT(census.Admit(kAnna), StatusIs(kExhausted));
}

TEST(SessionCensusTest, AReservedPlaceCountsUntilItIsLetGoOf) {
  SessionCensus census({.total = 1, .per_uid = 1});
  {
    ASSERT_OK_AND_ASSIGN(SessionCensus::Place place, census.Admit(kAnna));
    EXPECT_THAT(census.Admit(kAnna), StatusIs(kExhausted));
    const SessionCensus::Place moved = std::move(place);
    EXPECT_THAT(census.Admit(kAnna), StatusIs(kExhausted));
  }
  EXPECT_OK(census.Admit(kAnna));
}

TEST(SessionCensusTest, ASessionThatWasLetGoOfDoesNotCount) {
  SessionCensus census({.total = 1, .per_uid = 1});
  CorePair pair = Open(census, kAnna);
  EXPECT_THAT(census.Admit(kAnna), StatusIs(kExhausted));
  pair.first = nullptr;
  EXPECT_OK(census.Admit(kAnna));
}

TEST(SessionCensusTest, ASessionThatEitherSideHasEndedDoesNotCount) {
  SessionCensus census({.total = 1, .per_uid = 1});
  const CorePair ended_here = Open(census, kAnna);
  ended_here.first->End();
  const CorePair ended_there = Open(census, kAnna);
  EXPECT_THAT(census.Admit(kAnna), StatusIs(kExhausted));
  ended_there.second->End();
  EXPECT_OK(census.Admit(kAnna));
}

}  // namespace
}  // namespace ipc::testing
