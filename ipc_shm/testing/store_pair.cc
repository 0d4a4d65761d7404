#include "ipc_shm/testing/store_pair.h"

#include <atomic>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::PagedArena;
using ::ipc::internal::PageRuns;
using ::ipc::internal::RegionWindow;
using ::ipc::internal::ReleaseCounters;
using ::ipc::internal::SegmentStore;
using ::ipc::internal::SmallHeap;

class UnitHeap final : public SmallHeap {
 public:
  explicit UnitHeap(PageRuns& runs) : runs_(runs) {}
  void* Allocate(size_t bytes, size_t /*alignment*/, bool /*zeroed*/) override {
    return runs_.AllocateZeroed(bytes).data();
  }
  void Free(void* block, size_t bytes) override {
    runs_.Free(absl::MakeSpan(static_cast<std::byte*>(block), PageRuns::RoundUp(bytes)));
  }

 private:
  PageRuns& runs_;
};

struct Counters {
  std::vector<std::atomic<uint32_t>> a = std::vector<std::atomic<uint32_t>>(kStorePairSlots);
  std::vector<std::atomic<uint32_t>> b = std::vector<std::atomic<uint32_t>>(kStorePairSlots);
};

std::unique_ptr<shm::Arena> CreateArena(const RegionWindow& window, size_t limit_bytes) {
  return *PagedArena::Create(window, limit_bytes, [](PageRuns& runs) { return std::make_unique<UnitHeap>(runs); });
}

}  // namespace

StorePair CreateStorePair(size_t limit_bytes) {
  const size_t bytes = ::ipc::internal::WindowBytesFor(limit_bytes);
  const auto region = std::make_shared<const Region>(*Region::Create("store-pair", 2 * bytes, Sharing::kManyWriters));
  StorePair pair = {.a = nullptr,
                    .b = nullptr,
                    .a_window = {.region = region, .offset = 0, .bytes = bytes},
                    .b_window = {.region = region, .offset = bytes, .bytes = bytes}};
  const auto counters = std::make_shared<Counters>();
  const auto own_and_peers = [&](std::vector<std::atomic<uint32_t>>& own, std::vector<std::atomic<uint32_t>>& peers) {
    return ReleaseCounters{.own = absl::MakeSpan(own), .peer = absl::MakeConstSpan(peers), .mapping = counters};
  };
  pair.a = SegmentStore::Create(CreateArena(pair.a_window, limit_bytes), pair.a_window, pair.b_window,
                                own_and_peers(counters->a, counters->b));
  pair.b = SegmentStore::Create(CreateArena(pair.b_window, limit_bytes), pair.b_window, pair.a_window,
                                own_and_peers(counters->b, counters->a));
  return pair;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
