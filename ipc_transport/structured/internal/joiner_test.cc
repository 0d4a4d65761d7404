#include "ipc_transport/structured/internal/joiner.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;

class JoinerTest : public ::testing::Test {
 protected:
  // Bytes `begin` to `end` of message `id`, whose bytes are `message_`.
  FragmentRecord Piece(uint64_t id, size_t begin, size_t end) const {
    FragmentRecord fragment;
    fragment.id = id;
    fragment.offset = begin;
    fragment.total = message_.size();
    fragment.bytes = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(message_.data()) + begin, end - begin);
    return fragment;
  }

  std::string Take(Joiner& joiner) {
    const size_t total = joiner.total();
    HeapBytes bytes = joiner.Take();
    EXPECT_GE(bytes.size(), total);
    return std::string(reinterpret_cast<const char*>(bytes.data()), total);
  }

  const std::string message_ = "The quick brown fox jumps over the lazy dog";
};

TEST_F(JoinerTest, JoinsOneMessageAfterTheOther) {
  Joiner joiner(100);
  for (uint64_t id = 1; id < 4; ++id) {
    EXPECT_THAT(joiner.Add(Piece(id, 0, 1)), IsOkAndHolds(false));
    EXPECT_THAT(joiner.Add(Piece(id, 1, 20)), IsOkAndHolds(false));
    EXPECT_THAT(joiner.Add(Piece(id, 20, 42)), IsOkAndHolds(false));
    EXPECT_THAT(joiner.Add(Piece(id, 42, 43)), IsOkAndHolds(true));
    EXPECT_EQ(Take(joiner), message_);
  }
}

TEST_F(JoinerTest, AnotherMessageDropsOneThatIsNotComplete) {
  Joiner joiner(100);
  EXPECT_THAT(joiner.Add(Piece(1, 0, 20)), IsOkAndHolds(false));
  EXPECT_THAT(joiner.Add(Piece(2, 0, 30)), IsOkAndHolds(false));
  EXPECT_THAT(joiner.Add(Piece(2, 30, 43)), IsOkAndHolds(true));
  EXPECT_EQ(Take(joiner), message_);
}

TEST_F(JoinerTest, WhatWasAbandonedDoesNotGoOn) {
  Joiner joiner(100);
  EXPECT_THAT(joiner.Add(Piece(1, 0, 20)), IsOkAndHolds(false));
  joiner.Abandon();
  EXPECT_THAT(joiner.Add(Piece(1, 20, 43)), StatusIs(kDataLoss, HasSubstr("without its beginning")));
}

TEST_F(JoinerTest, EveryPieceFollowsTheOneBefore) {
  FragmentRecord other_total = Piece(1, 20, 30);
  --other_total.total;
  const FragmentRecord wrong[] = {Piece(1, 19, 30), Piece(1, 21, 30), Piece(1, 0, 20), Piece(2, 20, 30), other_total};
  for (const FragmentRecord& fragment : wrong) {
    Joiner joiner(100);
    ASSERT_THAT(joiner.Add(Piece(1, 0, 20)), IsOkAndHolds(false));
    EXPECT_THAT(joiner.Add(fragment), StatusIs(kDataLoss)) << fragment.id << " at " << fragment.offset;
  }
  Joiner joiner(100);
  EXPECT_THAT(joiner.Add(Piece(1, 1, 20)), StatusIs(kDataLoss));
}

TEST_F(JoinerTest, TakesTheLimitAndDropsOneByteMore) {
  Joiner exact(message_.size());
  EXPECT_THAT(exact.Add(Piece(1, 0, 20)), IsOkAndHolds(false));
  EXPECT_THAT(exact.Add(Piece(1, 20, 43)), IsOkAndHolds(true));

  Joiner joiner(message_.size() - 1);
  EXPECT_THAT(joiner.Add(Piece(1, 0, 20)), StatusIs(kResourceExhausted, AllOf(HasSubstr("43"), HasSubstr("42"),
                                                                              HasSubstr("max_heap_message_bytes"))));
  EXPECT_THAT(joiner.Add(Piece(1, 20, 30)), IsOkAndHolds(false));
  EXPECT_THAT(joiner.Add(Piece(1, 30, 43)), IsOkAndHolds(false));
  // Also of what is dropped, everything must follow.
  EXPECT_THAT(joiner.Add(Piece(2, 0, 20)), StatusIs(kResourceExhausted));
  EXPECT_THAT(joiner.Add(Piece(2, 21, 43)), StatusIs(kDataLoss));
}

TEST_F(JoinerTest, AfterADroppedOneTheNextComes) {
  Joiner joiner(100);
  FragmentRecord large = Piece(1, 0, 43);
  large.total = 101;
  EXPECT_THAT(joiner.Add(large), StatusIs(kResourceExhausted));
  EXPECT_THAT(joiner.Add(Piece(2, 0, 20)), IsOkAndHolds(false));
  EXPECT_THAT(joiner.Add(Piece(2, 20, 43)), IsOkAndHolds(true));
  EXPECT_EQ(Take(joiner), message_);
}

TEST_F(JoinerTest, CheckSizeAtTheLimit) {
  const Joiner joiner(100);
  EXPECT_THAT(joiner.CheckSize(100), IsOk());
  EXPECT_THAT(joiner.CheckSize(101), StatusIs(kResourceExhausted));
}

// M3: what is announced costs nothing before it comes.
TEST_F(JoinerTest, MemoryFollowsWhatCame) {
  Joiner joiner(uint64_t{1} << 62);
  FragmentRecord fragment = Piece(1, 0, 43);
  fragment.total = uint64_t{1} << 61;
  EXPECT_THAT(joiner.Add(fragment), IsOkAndHolds(false));
  EXPECT_EQ(joiner.Take().size(), Joiner::kFirstBytes);
}

TEST_F(JoinerTest, GrowsToManyTimesItsFirstBytes) {
  std::string message(10 * Joiner::kFirstBytes + 5, 0);
  for (size_t i = 0; i < message.size(); ++i) message[i] = static_cast<char>(i * i >> 4);
  Joiner joiner(message.size());
  constexpr size_t kPiece = 60'000;
  for (size_t begin = 0; begin < message.size(); begin += kPiece) {
    FragmentRecord fragment;
    fragment.id = 1;
    fragment.offset = begin;
    fragment.total = message.size();
    fragment.bytes = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(message.data()) + begin,
                                         std::min(kPiece, message.size() - begin));
    EXPECT_THAT(joiner.Add(fragment), IsOkAndHolds(fragment.is_last()));
  }
  EXPECT_EQ(Take(joiner), message);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
