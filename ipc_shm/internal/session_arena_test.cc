#include "ipc_shm/internal/session_arena.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/internal/quarantine.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/testing/store_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::ipc::testing::StorePair;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kArenaBytes = size_t{8} << 20;

struct Plain {
  uint64_t number = 0;
  std::array<uint64_t, 10> more = {};
};

// Counts those that live.
struct Counted {
  explicit Counted(int value = 0) : number(value) { ++living; }
  ~Counted() {
    --living;
    number = -1;
  }

  int number;
  static inline std::atomic<int> living{0};
};

struct alignas(4096) Wide {
  char letter = 'w';
};

struct Throws {
  explicit Throws(bool is_bad_alloc) {
    if (is_bad_alloc) throw std::bad_alloc();
    throw std::runtime_error("thrown on purpose");
  }
};

struct Large {
  std::array<uint64_t, (size_t{1} << 20) / sizeof(uint64_t)> numbers;
};

// Two ends of a session in one process; `a_` is the owner.
class SessionArenaTest : public ::testing::Test {
 protected:
  void TearDown() override {
    Close();
    EXPECT_EQ(Counted::living, 0);
  }

  void Open(const testing::StorePairOptions& options) {
    Close();
    pair_ = testing::CreateStorePair(kArenaBytes, options);
    a_.emplace(pair_.a->lending_arena());
    b_.emplace(pair_.b->lending_arena());
  }

  void CloseOwner() {
    a_.reset();
    pair_.a.reset();
  }
  void CloseBorrower() {
    b_.reset();
    pair_.b.reset();
  }
  // The borrower first: then everything is back.
  void Close() {
    CloseBorrower();
    CloseOwner();
  }

  template <typename T>
  std::shared_ptr<T> Make(int value = 0) {
    absl::StatusOr<std::shared_ptr<T>> object = a_->Construct<T>(value);
    EXPECT_OK(object);
    return *std::move(object);
  }

  // A loan that is out.
  template <typename T>
  shm::LoanRef LendOut(const std::shared_ptr<T>& object) {
    absl::StatusOr<shm::Loan> loan = a_->Lend(object);
    EXPECT_OK(loan);
    const shm::LoanRef ref = loan->ref();
    std::move(*loan).Sent();
    return ref;
  }

  size_t LiveBlocks() const { return a_->arena_stats().live_allocations; }

  StorePair pair_ = testing::CreateStorePair(kArenaBytes);
  std::optional<SessionArena> a_{pair_.a->lending_arena()};
  std::optional<SessionArena> b_{pair_.b->lending_arena()};
};

TEST_F(SessionArenaTest, AnObjectIsLentAndBorrowed) {
  const auto object = Make<Counted>(42);
  const shm::LoanRef ref = LendOut(object);
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Counted> borrowed, b_->Borrow<Counted>(ref));
  EXPECT_EQ(borrowed->number, 42);
  EXPECT_EQ(borrowed.get(), object.get()) << "it is the same memory";
}

// All that is free after it was idle, with what it finds to be back only then.
TEST_F(SessionArenaTest, ReclaimGivesMemoryBackToTheSystem) {
  if (Quarantine::kIsOn) GTEST_SKIP() << "freed blocks are kept for the address sanitizer";
  testing::StorePairOptions options;
  options.decay = absl::Milliseconds(1);
  Open(options);
  const auto resident = [&] { return *pair_.a_window.region->ResidentBytes(); };
  const auto wait_until_idle = [&] {
    const absl::Time limit = absl::Now() + testing::TimeLimit();
    while (!pair_.a->lending_arena()->arena().IsIdle() && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
  };
  const size_t before = resident();
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<Large> object, a_->Construct<Large>());
  const shm::LoanRef ref = LendOut(object);
  object = nullptr;
  wait_until_idle();
  a_->Reclaim(1);
  EXPECT_GT(resident(), before) << "it is lent";
  ASSERT_OK(b_->Borrow<Large>(ref));  // And given back.
  ASSERT_OK(a_->Construct<Plain>());
  wait_until_idle();
  a_->Reclaim(1);
  EXPECT_EQ(resident(), before);
}

TEST_F(SessionArenaTest, WhatTheBorrowerWritesTheOwnerReads) {
  const auto object = Make<Counted>(1);
  {
    ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Counted> borrowed, b_->BorrowMutable<Counted>(LendOut(object)));
    borrowed->number = 2;
  }
  EXPECT_EQ(object->number, 2);
}

TEST_F(SessionArenaTest, TheOwnersLastPointerDestroysIt) {
  auto object = Make<Counted>(1);
  EXPECT_EQ(Counted::living, 1);
  EXPECT_EQ(a_->loan_stats(), (shm::LoanStats{.objects = 1, .object_bytes = sizeof(Counted)}));
  auto copy = object;
  object.reset();
  EXPECT_EQ(Counted::living, 1);
  copy.reset();
  EXPECT_EQ(Counted::living, 0);
  EXPECT_EQ(LiveBlocks(), 0u);
  EXPECT_EQ(a_->loan_stats(), shm::LoanStats());
}

TEST_F(SessionArenaTest, AnObjectLivesUntilItsLoanIsBackToo) {
  auto object = Make<Counted>(7);
  ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(object)));
  object.reset();
  EXPECT_EQ(a_->Reclaim(10), 0u);
  EXPECT_EQ(borrowed->number, 7);
  EXPECT_EQ(a_->loan_stats().loans_out, 1u);
  borrowed.reset();
  EXPECT_EQ(Counted::living, 1) << "the borrower runs no destructor";
  EXPECT_EQ(a_->Reclaim(10), 1u);
  EXPECT_EQ(Counted::living, 0);
  EXPECT_EQ(LiveBlocks(), 0u);
  EXPECT_EQ(a_->loan_stats(), shm::LoanStats());
}

TEST_F(SessionArenaTest, WhenAllLoansAreBackTheOwnersReleaseDestroysIt) {
  auto object = Make<Counted>(7);
  for (int i = 0; i < 5; ++i) ASSERT_OK(b_->Borrow<Counted>(LendOut(object)));
  object.reset();
  EXPECT_EQ(Counted::living, 0);
  EXPECT_EQ(a_->loan_stats(), shm::LoanStats());
}

// Every order in which two owners and two loans may let go.
TEST_F(SessionArenaTest, ItEndsWithWhoeverIsLast) {
  std::array<int, 4> order = {0, 1, 2, 3};
  do {
    std::array<std::shared_ptr<const Counted>, 4> holders;
    holders[0] = Make<Counted>(5);
    holders[1] = holders[0];
    for (const int i : {2, 3}) {
      ASSERT_OK_AND_ASSIGN(holders[i], b_->Borrow<Counted>(LendOut(holders[0])));
    }
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT_EQ(holders[order[i]]->number, 5);
      a_->Reclaim(10);
      EXPECT_EQ(Counted::living, 1);
      holders[order[i]].reset();
    }
    a_->Reclaim(10);
    EXPECT_EQ(Counted::living, 0);
    EXPECT_EQ(LiveBlocks(), 0u);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(SessionArenaTest, ReclaimDestroysAsManyAsItIsTold) {
  for (int i = 0; i < 10; ++i) {
    auto object = Make<Counted>(i);
    ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(object)));
    object.reset();
  }
  EXPECT_EQ(Counted::living, 10);
  EXPECT_EQ(a_->Reclaim(3), 3u);
  EXPECT_EQ(Counted::living, 7);
  EXPECT_EQ(a_->loan_stats().destroyable, 7u);
  EXPECT_EQ(a_->Reclaim(100), 7u);
  EXPECT_EQ(a_->Reclaim(100), 0u);
}

TEST_F(SessionArenaTest, InPassingNoDestructorRuns) {
  for (int i = 0; i < 20; ++i) {
    auto object = Make<Counted>(i);
    ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(object)));
    object.reset();
  }
  EXPECT_EQ(Counted::living, 20);
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(auto object, a_->Construct<Plain>());
    ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Plain>(LendOut(object)));
    object.reset();
  }
  EXPECT_LT(LiveBlocks(), 20u + 10u) << "those that need none are freed";
  EXPECT_EQ(Counted::living, 20);
  EXPECT_EQ(a_->Reclaim(100), 20u);
}

TEST_F(SessionArenaTest, AFullArenaLooksForWhatIsBack) {
  std::vector<std::shared_ptr<const std::array<char, 1 << 20>>> borrowed;
  using Large = std::array<char, 1 << 20>;
  while (true) {
    absl::StatusOr<std::shared_ptr<Large>> object = a_->Construct<Large>();
    if (!object.ok()) {
      EXPECT_THAT(object, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("SessionOptions::arena_bytes")));
      break;
    }
    ASSERT_OK_AND_ASSIGN(auto one, b_->Borrow<Large>(LendOut(*object)));
    borrowed.push_back(std::move(one));
  }
  EXPECT_EQ(borrowed.size(), 7u);
  borrowed.pop_back();
  EXPECT_OK(a_->Construct<Large>());
}

TEST_F(SessionArenaTest, SlotsRunOut) {
  Open({.slots = 5});
  auto object = Make<Counted>(1);
  std::vector<shm::LoanRef> refs;
  for (int i = 0; i < 5; ++i) refs.push_back(LendOut(object));
  EXPECT_THAT(a_->Lend(object), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("all 5 loan slots")));
  EXPECT_EQ(a_->loan_stats().loans_out, 5u);
  ASSERT_OK(b_->Borrow<Counted>(refs[3]));
  const shm::LoanRef again = LendOut(object);
  EXPECT_EQ(again.slot, refs[3].slot);
  EXPECT_NE(again.generation, refs[3].generation);
  for (const int i : {0, 1, 2, 4}) ASSERT_OK(b_->Borrow<Counted>(refs[i]));
  ASSERT_OK(b_->Borrow<Counted>(again));
  object.reset();
  EXPECT_EQ(Counted::living, 0);
}

TEST_F(SessionArenaTest, ALoanThatIsNotSentIsTakenBack) {
  auto object = Make<Counted>(1);
  {
    ASSERT_OK_AND_ASSIGN(const shm::Loan loan, a_->Lend(object));
    EXPECT_EQ(a_->loan_stats().loans_out, 1u);
    object.reset();
    EXPECT_EQ(Counted::living, 1) << "the loan keeps it";
  }
  EXPECT_EQ(Counted::living, 0);
  EXPECT_EQ(a_->loan_stats(), shm::LoanStats());
}

TEST_F(SessionArenaTest, OnlyWholeObjectsOfTheArenaCanBeLent) {
  const auto is_refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("as a whole"));
  EXPECT_THAT(a_->Lend(std::shared_ptr<Plain>()), is_refused);
  EXPECT_THAT(a_->Lend(std::make_shared<Plain>()), is_refused);
  ASSERT_OK_AND_ASSIGN(const auto object, a_->Construct<Plain>());
  EXPECT_THAT(a_->Lend(std::shared_ptr<uint64_t>(object, &object->more[1])), is_refused);
  EXPECT_THAT(b_->Lend(object),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("an arena that the peer does not have")));
  ASSERT_OK_AND_ASSIGN(const auto borrowed, b_->Borrow<Plain>(LendOut(object)));
  EXPECT_THAT(b_->Lend(borrowed), is_refused);
  EXPECT_OK(a_->Lend(std::shared_ptr<const Plain>(object)));
}

// M9, M14
TEST_F(SessionArenaTest, PagesOfObjectsAreTakenAndMappedAhead) {
  ASSERT_OK_AND_ASSIGN(const auto object, a_->Construct<Large>());
  // Not every system does it.
  const auto is_done_or_not_offered = [](const absl::Status& status) {
    return status.ok() || absl::IsFailedPrecondition(status) || absl::IsUnavailable(status);
  };
  const auto bytes = [](const Large& large) {
    return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&large), sizeof(large));
  };
  EXPECT_OK(a_->PreCommit(bytes(*object)));
  object->numbers.fill(7);
  ASSERT_OK_AND_ASSIGN(const auto borrowed, b_->Borrow<Large>(LendOut(object)));
  EXPECT_TRUE(is_done_or_not_offered(b_->PopulateForReading(bytes(*borrowed))));
  EXPECT_TRUE(is_done_or_not_offered(a_->Collapse(bytes(*object))));
  EXPECT_EQ(borrowed->numbers.back(), 7u);
  const auto private_object = std::make_unique<Large>();
  for (const auto call : {&SessionArena::PreCommit, &SessionArena::Collapse, &SessionArena::PopulateForReading}) {
    EXPECT_THAT(((*a_).*call)(bytes(*private_object)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not lie in an arena")));
    EXPECT_THAT(((*a_).*call)({bytes(*object).data(), size_t{1} << 45}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not lie in an arena")));
  }
}

TEST_F(SessionArenaTest, ObjectsAreAligned) {
  ASSERT_OK_AND_ASSIGN(const auto object, a_->Construct<Wide>());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(object.get()) % 4096, 0u);
  ASSERT_OK_AND_ASSIGN(const auto borrowed, b_->Borrow<Wide>(LendOut(object)));
  EXPECT_EQ(borrowed->letter, 'w');
}

TEST_F(SessionArenaTest, AConstructorThatThrowsLeavesNothing) {
  EXPECT_THAT(a_->Construct<Throws>(true),
              StatusIs(absl::StatusCode::kResourceExhausted, AllOf(HasSubstr("Throws"), HasSubstr("of its 8388608"))));
  EXPECT_THROW(a_->Construct<Throws>(false).status().IgnoreError(), std::runtime_error);
  EXPECT_EQ(LiveBlocks(), 0u);
  EXPECT_EQ(a_->loan_stats(), shm::LoanStats());
}

TEST_F(SessionArenaTest, WithoutAnEqualAddressThereAreNoObjects) {
  Open({.has_equal_address = false});
  EXPECT_THAT(a_->Construct<Plain>(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no equal address")));
}

TEST_F(SessionArenaTest, ALoanIsBorrowedOnce) {
  const auto object = Make<Counted>(1);
  const shm::LoanRef ref = LendOut(object);
  ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(ref));
  const auto is_refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("borrowed before"));
  EXPECT_THAT(b_->Borrow<Counted>(ref), is_refused);
  borrowed.reset();
  EXPECT_THAT(b_->Borrow<Counted>(ref), is_refused);
  a_->Reclaim(1);
  const shm::LoanRef next = LendOut(object);
  EXPECT_EQ(next.slot, ref.slot);
  EXPECT_THAT(b_->Borrow<Counted>(ref), is_refused) << "its slot has another loan now";
  EXPECT_OK(b_->Borrow<Counted>(next));
}

TEST_F(SessionArenaTest, AnotherTypeIsRefusedAndTheLoanGivenBack) {
  auto object = Make<Counted>(1);
  EXPECT_THAT(b_->Borrow<Plain>(LendOut(object)),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("Counted'"), HasSubstr("Plain'"))));
  object.reset();
  EXPECT_EQ(Counted::living, 0);
}

// H3: a table of what is wrong with a handle, each field beyond its bounds by one.
TEST_F(SessionArenaTest, ForgedLoansAreRefused) {
  const auto object = Make<Counted>(1);
  const auto forge = [&](auto change) {
    shm::LoanRef ref = LendOut(object);
    change(ref);
    EXPECT_THAT(b_->Borrow<Counted>(ref), StatusIs(absl::StatusCode::kDataLoss)) << ref.offset;
  };
  const uint64_t begin = pair_.a_window.offset, end = begin + pair_.a_window.bytes;
  for (const uint64_t offset : {uint64_t{0}, uint64_t{63}, uint64_t{64}, begin - 16, begin, begin + 48, end - 1, end,
                                end + 16, end + 64, UINT64_MAX, UINT64_MAX - 63}) {
    forge([&](shm::LoanRef& ref) { ref.offset = offset; });
  }
  for (const int by : {-16, -1, 1, 16}) forge([&](shm::LoanRef& ref) { ref.offset += by; });
  for (const int by : {-1, 1}) forge([&](shm::LoanRef& ref) { ref.object_generation += by; });
  forge([&](shm::LoanRef& ref) { ref.region = 1; });
  forge([&](shm::LoanRef& ref) { ref.slot = testing::kStorePairSlots; });
  EXPECT_OK(b_->Borrow<Counted>(LendOut(object)));
}

// H3
TEST_F(SessionArenaTest, RandomLoansAreRefused) {
  const auto object = Make<Counted>(1);
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    shm::LoanRef ref = {.offset = random(),
                        .slot = static_cast<uint32_t>(random()),
                        .generation = static_cast<uint32_t>(random()),
                        .object_generation = static_cast<uint32_t>(random())};
    if (i % 2 == 0) ref.offset %= pair_.a_window.bytes;
    if (i % 3 == 0) ref.slot %= testing::kStorePairSlots;
    ASSERT_FALSE(b_->Borrow<Counted>(ref).ok());
  }
}

TEST_F(SessionArenaTest, ABorrowedObjectOutlivesBothSessions) {
  auto object = Make<Counted>(9);
  ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(object)));
  object.reset();
  CloseOwner();
  CloseBorrower();
  pair_.a_window = pair_.b_window = {};
  EXPECT_EQ(borrowed->number, 9) << "its destructor has not run";
  borrowed.reset();
  EXPECT_EQ(Counted::living, 1);
  Open({});  // Whoever comes next in the process looks.
  EXPECT_EQ(Counted::living, 0);
}

TEST_F(SessionArenaTest, AnOwnedObjectOutlivesBothSessions) {
  auto object = Make<Counted>(9);
  Close();
  EXPECT_EQ(object->number, 9);
  object.reset();
  EXPECT_EQ(Counted::living, 0);
}

TEST_F(SessionArenaTest, TheEndOfTheArenaDestroysWhatIsBack) {
  auto object = Make<Counted>(9);
  ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(object)));
  object.reset();
  borrowed.reset();
  EXPECT_EQ(Counted::living, 1);
  CloseOwner();
  EXPECT_EQ(Counted::living, 0);
}

// A loan that was sent and never borrowed comes back with the end of whoever might have borrowed it.
TEST_F(SessionArenaTest, TheEndOfTheBorrowerBringsBackWhatIsOnItsWay) {
  for (int i = 0; i < 10; ++i) LendOut(Make<Counted>(i));
  ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(Make<Counted>(10))));
  EXPECT_EQ(a_->Reclaim(100), 0u);
  CloseBorrower();
  EXPECT_EQ(a_->Reclaim(100), 0u) << "it still holds one";
  borrowed.reset();
  EXPECT_EQ(a_->Reclaim(100), 11u);
}

using Index = shm::map<shm::string, shm::vector<shm::string>>;

TEST_F(SessionArenaTest, ContainersOfAnObjectLieInTheArenaToAnyDepth) {
  const shm::string long_text(100, 'x', shm::Allocator<char>(*a_));
  {
    ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Index> index, a_->Construct<Index>());
    for (int i = 0; i < 100; ++i) (*index)[long_text].push_back(long_text);
    ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Index> borrowed, b_->Borrow<Index>(LendOut(index)));
    EXPECT_EQ(borrowed->at(long_text).size(), 100u);
    EXPECT_TRUE(pair_.a_window.Contains(pair_.a_window.OffsetOf(borrowed->at(long_text)[99].data()), 100));
    EXPECT_GT(LiveBlocks(), 100u);
  }
  EXPECT_EQ(a_->Reclaim(1), 0u) << "the loan was back before the owner let go";
  EXPECT_EQ(LiveBlocks(), 1u) << "the text";
}

TEST_F(SessionArenaTest, AContainerThatIsMovedInIsCopiedIntoTheArena) {
  const shm::vector<int> elsewhere(10, 7, shm::Allocator<int>(*b_));
  ASSERT_OK_AND_ASSIGN(const auto here, a_->Construct<shm::vector<int>>(elsewhere));
  EXPECT_TRUE(pair_.a_window.Contains(pair_.a_window.OffsetOf(here->data()), 40));
}

TEST_F(SessionArenaTest, AConstructorThatFillsTheArenaLeavesNothing) {
  EXPECT_THAT(a_->Construct<shm::vector<char>>(2 * kArenaBytes),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("SessionOptions::arena_bytes")));
  EXPECT_EQ(LiveBlocks(), 0u);
}

// P1: what a forked child does with its copies reaches nobody.
TEST_F(SessionArenaTest, AForkedChildsCopiesHarmNobody) {
  auto object = Make<Counted>(3);
  const shm::LoanRef ref = LendOut(object);
  ASSERT_OK_AND_ASSIGN(auto borrowed, b_->Borrow<Counted>(LendOut(object)));
  absl::StatusOr<shm::Loan> unsent = a_->Lend(object);
  ASSERT_OK(unsent);
  const pid_t child = fork();
  if (child == 0) {
    const bool all_fail = absl::IsFailedPrecondition(a_->Construct<Plain>().status()) &&
                          absl::IsFailedPrecondition(a_->Lend(object).status()) &&
                          absl::IsFailedPrecondition(b_->Borrow<Counted>(ref).status());
    a_->Reclaim(100);
    unsent = absl::CancelledError();
    object.reset();
    borrowed.reset();
    Close();
    pair_ = {};
    _exit(all_fail ? 0 : 1);
  }
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(a_->loan_stats().loans_out, 3u);
  EXPECT_EQ(a_->Reclaim(100), 0u);
  EXPECT_EQ(a_->loan_stats().loans_out, 3u);
  EXPECT_EQ(borrowed->number, 3);
}

TEST_F(SessionArenaTest, ThreadsLendBorrowAndReclaim) {
  constexpr int kObjects = 2000;
  struct Sent {
    shm::LoanRef ref;
    std::atomic<bool> is_there{false};  // Release by the owner, acquire by the borrower.
  };
  std::vector<Sent> sent(2 * kObjects);
  std::vector<std::thread> threads;
  std::atomic<int> borrowed{0};
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = thread; i < 2 * kObjects; i += 2) {
        while (i - borrowed.load(std::memory_order_relaxed) > 20) std::this_thread::yield();
        sent[i].ref = LendOut(Make<Counted>(i));
        sent[i].is_there.store(true, std::memory_order_release);
        if (i % 16 == 0) a_->Reclaim(100);
      }
    });
    threads.emplace_back([&, thread] {
      for (int i = thread; i < 2 * kObjects; i += 2) {
        while (!sent[i].is_there.load(std::memory_order_acquire)) std::this_thread::yield();
        ASSERT_OK_AND_ASSIGN(const auto object, b_->Borrow<Counted>(sent[i].ref));
        ASSERT_EQ(object->number, i);
        borrowed.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  a_->Reclaim(10'000);
  EXPECT_EQ(Counted::living, 0);
  EXPECT_EQ(a_->loan_stats(), shm::LoanStats());
  EXPECT_EQ(LiveBlocks(), 0u);
}

}  // namespace
}  // namespace ipc::internal
