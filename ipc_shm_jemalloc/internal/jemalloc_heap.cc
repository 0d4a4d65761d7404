#include "ipc_shm_jemalloc/internal/jemalloc_heap.h"

#include <sys/mman.h>
#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "third_party/jemalloc/jemalloc.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// How much jemalloc asks the hooks for at once, at most; without it each request is larger than the one before.
constexpr size_t kGrowBytes = size_t{2} << 20;
constexpr size_t kPageBytes = 4096;

// What jemalloc gets its memory by. It hands back a pointer to `table`, which is the first member.
struct Hooks {
  extent_hooks_t table;
  PageRuns* runs;
  // The heap is being destroyed: jemalloc gives all blocks up, but a peer may still read them.
  bool is_closing;
  std::atomic<size_t> held_bytes = 0;  // Of runs. A counter alone: it orders nothing.
};
static_assert(std::is_standard_layout_v<Hooks>);

Hooks& HooksOf(extent_hooks_t* table) { return *reinterpret_cast<Hooks*>(table); }
PageRuns& RunsOf(extent_hooks_t* table) { return *HooksOf(table).runs; }

// `bytes` of private memory at `alignment`, both of whole pages; none of it in huge pages. Null: the system has no
// more.
void* MapPrivate(size_t bytes, size_t alignment) {
  void* const mapped =
      os::Mmap(nullptr, bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(mapped);
  const size_t before = (alignment - reinterpret_cast<uintptr_t>(begin) % alignment) % alignment;
  if (before > 0) os::Munmap(begin, before);
  os::Munmap(begin + before + bytes, alignment - before);
  os::Madvise(begin + before, bytes, MADV_NOHUGEPAGE);
  return begin + before;
}

// jemalloc keeps addresses of its bookkeeping for ever, unless they come from here. Nothing else is aligned like that.
bool IsForBookkeeping(size_t alignment) { return alignment > kPageBytes; }

void* Alloc(extent_hooks_t* table, void* wanted, size_t bytes, size_t alignment, bool* zero, bool* commit,
            unsigned /*arena*/) {
  if (wanted != nullptr) return nullptr;
  if (IsForBookkeeping(alignment)) {
    *zero = true;
    *commit = true;
    return MapPrivate(bytes, alignment);
  }
  bool is_zero;
  const absl::Span<std::byte> run = RunsOf(table).Allocate(bytes, &is_zero);
  if (run.empty()) return nullptr;
  // jemalloc takes what it does not use at once for untouched, and never purges it.
  if (!is_zero && !RunsOf(table).is_committed()) is_zero = RunsOf(table).Punch(run);
  if (*zero && !is_zero) std::memset(run.data(), 0, run.size());
  *zero = *zero || is_zero;
  *commit = true;
  HooksOf(table).held_bytes.fetch_add(run.size(), std::memory_order_relaxed);
  return run.data();
}

// False: taken back. jemalloc may have split a run; only whole units can be taken.
bool Dalloc(extent_hooks_t* table, void* address, size_t bytes, bool /*committed*/, unsigned /*arena*/) {
  if (!RunsOf(table).Contains(address)) return os::Munmap(address, bytes) != 0;
  if (HooksOf(table).is_closing) return true;
  if (!RunsOf(table).TryFree(absl::MakeSpan(static_cast<std::byte*>(address), bytes))) return true;
  HooksOf(table).held_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

bool PurgeForced(extent_hooks_t* table, void* address, size_t /*bytes*/, size_t offset, size_t length,
                 unsigned /*arena*/) {
  // Committed memory stays: jemalloc would use it again without a question.
  return HooksOf(table).is_closing || RunsOf(table).is_committed() ||
         !RunsOf(table).Punch(absl::MakeSpan(static_cast<std::byte*>(address) + offset, length));
}

bool Split(extent_hooks_t*, void*, size_t, size_t, size_t, bool, unsigned) { return false; }

bool Merge(extent_hooks_t*, void*, size_t, void*, size_t, bool, unsigned) { return false; }

constexpr extent_hooks_t kTable = {
    .alloc = Alloc,
    .dalloc = Dalloc,
    .destroy = nullptr,
    .commit = nullptr,
    .decommit = nullptr,
    .purge_lazy = nullptr,
    .purge_forced = PurgeForced,
    .split = Split,
    .merge = Merge,
};

// As jemalloc's experimental.arenas_create_ext wants it; its headers do not declare it.
struct ArenaConfig {
  extent_hooks_t* hooks;
  bool metadata_use_hooks;
};

// jemalloc counts pages of all arenas at once, some 10 us for each, so it is told to only this often.
constexpr int64_t kRecountNanos = 100'000'000;

// For an arena that was made at `made_nanos`, and is not known to figures before it was counted.
void RecountNowAndThen(int64_t made_nanos) {
  static constinit std::atomic<int64_t> counted_nanos{0};  // Orders nothing: jemalloc has a lock.
  const int64_t now = NowNanos();
  const int64_t last = counted_nanos.load(std::memory_order_relaxed);
  if (last > made_nanos && now - last < kRecountNanos) return;
  uint64_t epoch = 1;
  sluice_je_mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
  counted_nanos.store(now, std::memory_order_relaxed);
}

// T{}: jemalloc has no such figure.
template <typename T>
T ReadFigure(const std::string& name) {
  T figure{};
  size_t size = sizeof(figure);
  return sluice_je_mallctl(name.c_str(), &figure, &size, nullptr, 0) == 0 ? figure : T{};
}

class JemallocHeap final : public SmallHeap {
 public:
  JemallocHeap(std::unique_ptr<Hooks> hooks, unsigned arena) : hooks_(std::move(hooks)), arena_(arena) {}
  ~JemallocHeap() override {
    hooks_->is_closing = true;
    sluice_je_mallctl(absl::StrCat("arena.", arena_, ".destroy").c_str(), nullptr, nullptr, nullptr, 0);
  }

  // Dirty pages are those of a moment ago.
  Pages pages() const override {
    RecountNowAndThen(made_nanos_);
    // A counter that jemalloc changes at any time; written relaxed.
    const auto* const active = ReadFigure<const size_t*>(absl::StrCat("experimental.arenas.", arena_, ".pactivep"));
    const size_t active_pages = active == nullptr ? 0 : __atomic_load_n(active, __ATOMIC_RELAXED);
    const size_t active_bytes = active_pages * kPageBytes;
    if (hooks_->runs->is_committed()) {
      const size_t held_bytes = hooks_->held_bytes.load(std::memory_order_relaxed);
      return {.committed_bytes = held_bytes, .dirty_bytes = held_bytes - std::min(active_bytes, held_bytes)};
    }
    const size_t dirty_bytes = ReadFigure<size_t>(absl::StrCat("stats.arenas.", arena_, ".pdirty")) * kPageBytes;
    return {.committed_bytes = active_bytes + dirty_bytes, .dirty_bytes = dirty_bytes};
  }

  void* Allocate(size_t bytes, size_t alignment, bool zeroed) override {
    return sluice_je_mallocx(
        bytes, MALLOCX_ARENA(arena_) | MALLOCX_TCACHE_NONE | MALLOCX_ALIGN(alignment) | (zeroed ? MALLOCX_ZERO : 0));
  }

  void Free(void* block, size_t /*bytes*/) override { sluice_je_dallocx(block, MALLOCX_TCACHE_NONE); }

  // Without the hook for lazy purging, jemalloc knows no muzzy pages.
  void SetDecay(absl::Duration decay) override {
    ssize_t milliseconds =
        decay == absl::InfiniteDuration() ? -1 : absl::ToInt64Milliseconds(absl::Ceil(decay, absl::Milliseconds(1)));
    sluice_je_mallctl(absl::StrCat("arena.", arena_, ".dirty_decay_ms").c_str(), nullptr, nullptr, &milliseconds,
                      sizeof(milliseconds));
  }

  void Purge(bool all) override {
    sluice_je_mallctl(absl::StrCat("arena.", arena_, all ? ".purge" : ".decay").c_str(), nullptr, nullptr, nullptr, 0);
  }

 private:
  const std::unique_ptr<Hooks> hooks_;
  const unsigned arena_;
  const int64_t made_nanos_ = NowNanos();
};

}  // namespace

absl::StatusOr<std::unique_ptr<SmallHeap>> CreateJemallocHeap(PageRuns& runs) {
  std::unique_ptr<Hooks> hooks(new Hooks{.table = kTable, .runs = &runs, .is_closing = false});
  ArenaConfig config = {.hooks = &hooks->table, .metadata_use_hooks = true};
  unsigned arena;
  size_t size = sizeof(arena);
  if (const int error = sluice_je_mallctl("experimental.arenas_create_ext", &arena, &size, &config, sizeof(config));
      error != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("jemalloc makes no further arena (", std::strerror(error),
                                                     "): a process has at most 4093 at a time; close sessions"));
  }
  auto heap = std::make_unique<JemallocHeap>(std::move(hooks), arena);
  size_t limit = kGrowBytes;
  if (const int error = sluice_je_mallctl(absl::StrCat("arena.", arena, ".retain_grow_limit").c_str(), nullptr, nullptr,
                                          &limit, sizeof(limit));
      error != 0) {
    return absl::InternalError(absl::StrCat("limit the growth of a jemalloc arena: ", std::strerror(error)));
  }
  return heap;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
