#include "ipc_shm/internal/pointer_audit.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/optional.h"
#include "ipc_shm/testing/placed_arena.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AuditPointers;
using ::ipc::internal::PointerAudit;
using ::ipc::shm::ArenaScope;
using ::testing::AllOf;
using ::testing::HasSubstr;

int a_global = 0;

struct Entry {
  int64_t number = 0;
  shm::string name;
  const void* link = nullptr;
};

using Everything =
    std::tuple<shm::string, shm::vector<shm::string>, shm::vector<bool>, shm::vector<double>, shm::deque<shm::string>,
               shm::list<shm::string>, shm::map<shm::string, shm::vector<shm::string>>, shm::multimap<int, shm::string>,
               shm::set<shm::string>, shm::multiset<int>, shm::unordered_map<shm::string, shm::map<int, shm::string>>,
               shm::unordered_set<uint64_t>, shm::optional<shm::string>, std::optional<int>,
               std::variant<int, shm::string>, std::array<shm::string, 2>, shm::vector<Entry>, Entry*, int[3]>;

class PointerAuditTest : public ::testing::Test {
 protected:
  template <typename T>
  T* Make(const PlacedArena& placed) {
    const ArenaScope scope(placed.arena());
    shm::Allocator<T> allocator(placed.arena());
    T* const made = allocator.allocate(1);
    allocator.construct(made);
    return made;
  }
  template <typename T>
  absl::Status Audit(const T& object) const {
    return AuditPointers(object, placed_.region().bytes());
  }
  template <typename T>
  std::string SuspicionOf(const T& object) const {
    PointerAudit audit(placed_.region().bytes());
    audit.Visit(object);
    return audit.suspicion();
  }
  std::string Long(int number) const { return "a text of some length, number " + std::to_string(number); }

  const PlacedArena placed_ = PlacedArena::Create();
  const PlacedArena other_ = PlacedArena::Create();
};

TEST_F(PointerAuditTest, FindsNothingInContainersThatLieWhereTheyShould) {
  Everything& all = *Make<Everything>(placed_);
  EXPECT_OK(Audit(all)) << "empty";
  const ArenaScope scope(placed_.arena());
  auto& [string, strings, bits, doubles, deque, list, map, multimap, set, multiset, hashed, ids, text, number, variant,
         array, entries, pointer, numbers] = all;
  for (int i = 0; i < 200; ++i) {
    const std::string as_text = std::to_string(i);
    string += 'x';
    strings.emplace_back(i % 2 == 0 ? Long(i) : as_text);
    bits.push_back(i % 3 == 0);
    doubles.push_back(i);
    deque.emplace_front(i % 2 == 0 ? Long(i) : as_text);
    list.emplace_back(Long(i));
    map[shm::string(as_text)].emplace_back(Long(i));
    multimap.emplace(i % 7, Long(i));
    set.emplace(Long(i));
    multiset.insert(i % 7);
    hashed[shm::string(as_text)].emplace(i, Long(i));
    // Numbers that happen to be addresses.
    ids.insert(reinterpret_cast<uintptr_t>(&a_global) + i);
    text.emplace(Long(i));
    number = i;
    variant.emplace<shm::string>(Long(i));
    array[1] = Long(i);
    entries.emplace_back().name = Long(i);
    pointer = &entries.back();
    numbers[2] = i;
    entries.back().link = pointer;
    ASSERT_OK(Audit(all)) << i;
  }
}

TEST_F(PointerAuditTest, FindsAContainerThatLiesElsewhere) {
  EXPECT_THAT(Audit(*Make<shm::vector<int>>(other_)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("its arena of a std::vector<int"), HasSubstr("placed-arena"))));
}

TEST_F(PointerAuditTest, FindsElementsThatBelongToAnotherArena) {
  auto& entries = *Make<shm::vector<std::pair<int, shm::string*>>>(placed_);
  entries.emplace_back(1, nullptr);
  EXPECT_OK(Audit(entries));
  entries.emplace_back(2, Make<shm::string>(other_));
  EXPECT_THAT(Audit(entries), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a pointer of a ")));
}

TEST_F(PointerAuditTest, FindsPointersToTheStackTheHeapAndGlobals) {
  const int on_the_stack = 0;
  const auto on_the_heap = std::make_unique<int>(0);
  auto& pointers = *Make<shm::map<int, const int*>>(placed_);
  for (const int* const pointer :
       {&on_the_stack, static_cast<const int*>(on_the_heap.get()), static_cast<const int*>(&a_global)}) {
    pointers[1] = pointer;
    EXPECT_THAT(Audit(pointers), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("outside of the arena")));
  }
  pointers[1] = reinterpret_cast<const int*>(&pointers);
  EXPECT_OK(Audit(pointers));
}

// Of a class that it does not know it can only suspect something: nobody is refused for a text that looks like a
// pointer.
TEST_F(PointerAuditTest, SuspectsThemInOpaqueStructures) {
  auto& entries = *Make<shm::list<Entry>>(placed_);
  Entry& entry = entries.emplace_back();
  entry.number = 5;
  entry.link = &entry;
  EXPECT_EQ(SuspicionOf(entries), "");
  entry.link = &a_global;
  EXPECT_THAT(SuspicionOf(entries), AllOf(HasSubstr("the word at byte 48 of a "), HasSubstr("Entry")));
  EXPECT_OK(Audit(entries));
  entry.link = nullptr;
  entry.number = 123'456'789'012;
  EXPECT_EQ(SuspicionOf(entries), "") << "too low";
  entry.number = int64_t{0x7000'0000'0000'0000};
  EXPECT_EQ(SuspicionOf(entries), "") << "nothing is mapped there";
}

TEST_F(PointerAuditTest, SuspectsAStructureThatWasMadeElsewhereAndMovedIn) {
#if defined(ABSL_HAVE_THREAD_SANITIZER)
  GTEST_SKIP() << "regions lie too low";
#endif
  auto& entries = *Make<shm::vector<Entry>>(placed_);
  {
    const ArenaScope scope(other_.arena());
    Entry moved{.number = 1, .name = shm::string(Long(1)), .link = nullptr};
    entries.push_back(std::move(moved));
  }
  EXPECT_THAT(SuspicionOf(entries), HasSubstr("placed-arena"));
}

}  // namespace
}  // namespace ipc::testing
