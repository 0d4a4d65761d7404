// What all kinds of arena do is in arena_conformance.cc; here, how the parts are put together.

#include "ipc_shm/internal/paged_arena.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kLimit = size_t{8} << 20;

// Has no blocks, and writes down what it was asked for.
class EmptyHeap final : public SmallHeap {
 public:
  explicit EmptyHeap(std::string& diary) : diary_(diary) {}
  ~EmptyHeap() override { diary_ += "gone"; }
  void* Allocate(size_t bytes, size_t alignment, bool zeroed) override {
    diary_ += std::to_string(bytes) + "/" + std::to_string(alignment) + (zeroed ? "/zeroed " : " ");
    return nullptr;
  }
  void Free(void* /*block*/, size_t /*bytes*/) override { diary_ += "free "; }

 private:
  std::string& diary_;
};

RegionWindow Window(size_t bytes) {
  absl::StatusOr<Region> region = Region::Create("paged", bytes, Sharing::kManyWriters);
  return {.region = std::make_shared<const Region>(*std::move(region)), .offset = 0, .bytes = bytes};
}

TEST(PagedArenaTest, SmallBlocksComeFromTheHeap) {
  std::string diary;
  {
    ASSERT_OK_AND_ASSIGN(const auto arena, PagedArena::Create(Window(WindowBytesFor(kLimit)), kLimit, [&](PageRuns&) {
                           return std::make_unique<EmptyHeap>(diary);
                         }));
    EXPECT_THAT(arena->Allocate(shm::Arena::kLargeBytes - 1, 64), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(arena->AllocateZeroed(7, 8), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(arena->stats().allocated_bytes, 0u);
    EXPECT_EQ(arena->stats().live_allocations, 0u);
    ASSERT_OK_AND_ASSIGN(void* const large, arena->Allocate(shm::Arena::kLargeBytes, 64));
    arena->Free(large, shm::Arena::kLargeBytes);
  }
  // A block of a size that the front cache holds is a whole step, asked for with others first.
  EXPECT_EQ(diary, "1048575/64 16/16 16/16 gone");
}

TEST(PagedArenaTest, RefusesAWindowThatIsTooSmall) {
  std::string diary;
  EXPECT_THAT(PagedArena::Create(Window(WindowBytesFor(kLimit) - PageRuns::kUnitBytes), kLimit,
                                 [&](PageRuns&) { return std::make_unique<EmptyHeap>(diary); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("an arena of 8388608 bytes needs a window of")));
  EXPECT_EQ(diary, "");
}

TEST(PagedArenaTest, AHeapThatCannotBeMadeIsAnError) {
  EXPECT_THAT(PagedArena::Create(Window(WindowBytesFor(kLimit)), kLimit,
                                 [](PageRuns&) -> absl::StatusOr<std::unique_ptr<SmallHeap>> {
                                   return absl::ResourceExhaustedError("no heap");
                                 }),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no heap")));
}

}  // namespace
}  // namespace ipc::internal
