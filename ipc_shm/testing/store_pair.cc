#include "ipc_shm/testing/store_pair.h"

#include <atomic>
#include <new>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/page_runs.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/small_heap.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaHeader;
using ::ipc::internal::ArenaPlace;
using ::ipc::internal::ArenaRegistry;
using ::ipc::internal::PagedArena;
using ::ipc::internal::PageRuns;
using ::ipc::internal::RegionWindow;
using ::ipc::internal::ReleaseCounters;
using ::ipc::internal::Reservation;
using ::ipc::internal::SegmentStore;
using ::ipc::internal::SmallHeap;

class UnitHeap final : public SmallHeap {
 public:
  explicit UnitHeap(PageRuns& runs) : runs_(runs) {}
  void* Allocate(size_t bytes, size_t /*alignment*/, bool /*zeroed*/) override {
    return runs_.AllocateZeroed(bytes).data();
  }
  void Free(void* block, size_t bytes) override {
    runs_.Free(absl::MakeSpan(static_cast<std::byte*>(block), runs_.RoundUp(bytes)));
  }

 private:
  PageRuns& runs_;
};

struct Outbox {
  explicit Outbox(size_t slots) : counters(slots) {}

  std::vector<std::atomic<uint32_t>> counters;
  std::atomic<uint32_t> retired{0};
};
struct Outboxes {
  explicit Outboxes(size_t slots) : a(slots), b(slots) {}

  Outbox a;
  Outbox b;
};

std::unique_ptr<shm::Arena> CreateArena(const RegionWindow& window, size_t limit_bytes, absl::Duration decay,
                                        ArenaPlace place) {
  std::unique_ptr<PagedArena> arena = *PagedArena::Create(
      window, limit_bytes, [](PageRuns& runs) { return std::make_unique<UnitHeap>(runs); }, std::move(place));
  arena->SetDecay(decay);
  return arena;
}

}  // namespace

StorePair CreateStorePair(size_t limit_bytes, const StorePairOptions& options) {
  const size_t bytes = ::ipc::internal::WindowBytesFor(limit_bytes);
  const size_t region_bytes = ArenaRegistry::kHeaderBytes + 2 * bytes;
  const auto region = std::make_shared<const Region>(
      options.has_equal_address
          ? *Region::Create("store-pair", Sharing::kManyWriters, *Reservation::Anywhere(region_bytes))
          : *Region::Create("store-pair", region_bytes, Sharing::kManyWriters));
  ArenaHeader* const headers = new (region->data()) ArenaHeader[2];
  StorePair pair = {.a = nullptr,
                    .b = nullptr,
                    .a_window = {.region = region, .offset = ArenaRegistry::kHeaderBytes, .bytes = bytes},
                    .b_window = {.region = region, .offset = ArenaRegistry::kHeaderBytes + bytes, .bytes = bytes}};
  const auto outboxes = std::make_shared<Outboxes>(options.slots);
  const auto counters = [&](Outbox& own, Outbox& peers, std::shared_ptr<const PidFd> peer_process) {
    return ReleaseCounters{.own = absl::MakeSpan(own.counters),
                           .peer = absl::MakeConstSpan(peers.counters),
                           .mapping = outboxes,
                           .own_retired = &own.retired,
                           .peer_retired = &peers.retired,
                           .peer_process = std::move(peer_process)};
  };
  pair.a =
      SegmentStore::Create(CreateArena(pair.a_window, limit_bytes, options.decay,
                                       {.header = headers, .peer_header = headers + 1, .peer_window = pair.b_window}),
                           pair.a_window, pair.b_window, counters(outboxes->a, outboxes->b, options.b_process));
  pair.b =
      SegmentStore::Create(CreateArena(pair.b_window, limit_bytes, options.decay,
                                       {.header = headers + 1, .peer_header = headers, .peer_window = pair.a_window}),
                           pair.b_window, pair.a_window, counters(outboxes->b, outboxes->a, nullptr));
  return pair;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
