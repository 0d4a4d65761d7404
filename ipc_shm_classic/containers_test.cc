// Containers that both sides of a classic region change and free, each with its own heap.

#include "ipc_shm/containers.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/internal/pointer_audit.h"
#include "ipc_shm/optional.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_shm/testing/placed_arena.h"
#include "ipc_shm_classic/arena.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::RobustLock;
using ::ipc::shm::RobustMutex;

constexpr auto kMakeArena = &shm::classic::CreateArena;
constexpr int kRounds = 1000;
constexpr int kKept = 20;

// What two processes change, in turns.
struct Shared {
  RobustMutex mutex;
  shm::map<shm::string, shm::vector<shm::string>> ordered;
  shm::unordered_map<shm::string, shm::list<shm::string>> hashed;
  shm::deque<shm::string> queue;
  shm::vector<shm::string> all;
  shm::string text;
  shm::optional<shm::string> last;
};

std::string Key(const std::string& side, int number) {
  return absl::StrCat(side, " and its key of some length, ", number);
}

// Puts a key in, takes an old one out, and changes what both use. "" or what is wrong.
std::string Change(Shared& shared, const std::string& side, int round) {
  const absl::StatusOr<RobustLock> lock = shared.mutex.Lock(TimeLimit());
  if (!lock.ok()) return std::string(lock.status().message());
  if (lock->owner_died()) return "the other side died";
  const std::string key = Key(side, round);
  shm::vector<shm::string>& values = shared.ordered.emplace(key, size_t{0}).first->second;
  for (int i = 0; i <= round % 7; ++i) values.emplace_back(Key(key, i));
  shared.hashed.emplace(std::piecewise_construct, std::forward_as_tuple(key), std::forward_as_tuple())
      .first->second.emplace_back(key);
  shared.queue.emplace_back(key);
  shared.all.emplace_back(key);
  shared.text += key;
  shared.last.emplace(key);
  if (shared.queue.size() > kKept) shared.queue.pop_front();
  if (shared.all.size() > kKept) {
    shared.all.clear();
    shared.all.shrink_to_fit();
  }
  if (shared.text.size() > 10'000) {
    shared.text.clear();
    shared.text.shrink_to_fit();
  }
  if (round < kKept) return "";
  const std::string old = Key(side, round - kKept);
  const auto ordered = shared.ordered.find(old);
  const auto hashed = shared.hashed.find(old);
  if (ordered == shared.ordered.end() || ordered->second.size() != (round - kKept) % 7 + 1u ||
      ordered->second.back() != Key(old, (round - kKept) % 7)) {
    return "map: " + old;
  }
  if (hashed == shared.hashed.end() || hashed->second.front() != old) return "unordered_map: " + old;
  shared.ordered.erase(ordered);
  shared.hashed.erase(hashed);
  return "";
}

std::string ChangeOften(Shared& shared, const std::string& side) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string wrong = Change(shared, side, round);
    if (!wrong.empty()) return absl::StrCat(side, ", round ", round, ": ", wrong);
  }
  return "";
}

// Arguments: where the region and the object are.
SLUICE_CHILD_ROLE(other_side) {
  uint64_t region = 0;
  uint64_t object = 0;
  if (!absl::SimpleAtoi(arguments[0], &region) || !absl::SimpleAtoi(arguments[1], &object)) return 1;
  const PlacedArena placed = PlacedArena::Join(InheritedFd(), region, kMakeArena);
  TellParent("begins");
  TellParent(ChangeOften(*reinterpret_cast<Shared*>(object), "child"));
  HearParent();
  placed.arena().Collect();
  TellParent(absl::StrCat(placed.blocks()));
  return 0;
}

// M5
TEST(ClassicContainersTest, BothSidesChangeAndFreeAndNothingIsLost) {
  const PlacedArena placed = PlacedArena::Create(kMakeArena);
  shm::Allocator<Shared> allocator(placed.arena());
  Shared* const shared = allocator.allocate(1);
  allocator.construct(shared);
  Child child =
      Child::Start("other_side", {absl::StrCat(placed.address()), absl::StrCat(reinterpret_cast<uintptr_t>(shared))},
                   {.environment = {}, .inherited = placed.region().fd()});
  ASSERT_EQ(child.Hear(), "begins");
  EXPECT_EQ(ChangeOften(*shared, "parent"), "");
  ASSERT_EQ(child.Hear(), "");
  EXPECT_EQ(shared->ordered.size(), 2u * kKept);
  EXPECT_OK(::ipc::internal::AuditPointers(shared->ordered, placed.region().bytes()));
  EXPECT_OK(::ipc::internal::AuditPointers(shared->hashed, placed.region().bytes()));
  EXPECT_OK(::ipc::internal::AuditPointers(shared->queue, placed.region().bytes()));
  shared->~Shared();
  allocator.deallocate(shared, 1);
  child.Tell("all is freed");
  EXPECT_EQ(child.Hear(), "0") << "blocks of the child's";
  EXPECT_EQ(child.Wait(), 0);
  placed.arena().Collect();
  EXPECT_EQ(placed.blocks(), 0u);
}

}  // namespace
}  // namespace ipc::testing
