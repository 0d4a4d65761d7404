#include "ipc_shm/internal/lending_arena.h"

#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/full_arena.h"
#include "ipc_shm/internal/mapped_regions.h"
#include "ipc_shm/internal/object_entry.h"
#include "ipc_shm/internal/peer_regions.h"
#include "ipc_shm/internal/tsan_order.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Of what is out, at each allocation and loan.
constexpr size_t kReclaimedAtOnce = 8;

}  // namespace

// Arenas that have ended and still lend objects whose destructors are due.
class EndedArenas {
 public:
  static EndedArenas& Get() {
    static auto& arenas = *new EndedArenas();
    return arenas;
  }

  // Ends `arena`, or keeps it.
  void End(std::unique_ptr<LendingArena> arena) {
    // A forked child's copy: its blocks are not there, and its locks may be taken by threads that are not.
    if (arena->in_forked_child()) return static_cast<void>(arena.release());
    arena->ReclaimObjects(LoanBook::kAll);
    if (arena->destructors_due_.load(std::memory_order_relaxed) == 0) return;
    const MutexLock lock(mutex_);
    arenas_.push_back(std::move(arena));
    is_empty_.store(false, std::memory_order_relaxed);
  }

  // Looks again at those that were kept.
  void Sweep() {
    if (is_empty_.load(std::memory_order_relaxed)) return;  // A hint: a later look finds them.
    std::vector<std::unique_ptr<LendingArena>> kept;
    {
      const MutexLock lock(mutex_);
      std::swap(kept, arenas_);
      is_empty_.store(true, std::memory_order_relaxed);
    }
    // Without the lock: destructors may end other arenas.
    for (std::unique_ptr<LendingArena>& arena : kept) End(std::move(arena));
  }

 private:
  std::atomic<bool> is_empty_{true};
  Mutex mutex_;
  std::vector<std::unique_ptr<LendingArena>> arenas_ ABSL_GUARDED_BY(mutex_);
};

// One loan of an object of another arena, and its owner together with others.
class LendingArena::FurtherLoan final : public Held {
 public:
  FurtherLoan(LendingArena& arena, std::shared_ptr<const void> object, bool has_destructor)
      : arena_(arena), object_(std::move(object)), has_destructor_(has_destructor) {}

  void CameBack(Destructors destructors) override {
    arena_.loans_out_.fetch_sub(1, std::memory_order_relaxed);
    if (has_destructor_ && destructors == Destructors::kPutOff) return arena_.PutOff(*this);
    End();
  }

  void Abandon() override { delete this; }

  void End() override {
    arena_.destructors_due_.fetch_sub(1, std::memory_order_relaxed);
    delete this;
  }

 private:
  LendingArena& arena_;
  const std::shared_ptr<const void> object_;
  const bool has_destructor_;
};

std::shared_ptr<LendingArena> LendingArena::Create(std::unique_ptr<shm::Arena> arena, RegionWindow own,
                                                   RegionWindow peer, ReleaseCounters counters,
                                                   FurtherRegions further) {
  EndedArenas::Get().Sweep();
  return std::shared_ptr<LendingArena>(
      new LendingArena(std::move(arena), std::move(own), std::move(peer), std::move(counters), std::move(further)),
      [](LendingArena* ended) { EndedArenas::Get().End(std::unique_ptr<LendingArena>(ended)); });
}

void LendingArena::SweepEnded() { EndedArenas::Get().Sweep(); }

LendingArena::LendingArena(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer,
                           ReleaseCounters counters, FurtherRegions further)
    : arena_(std::move(arena)),
      own_(std::move(own)),
      further_(std::move(further.exchange)),
      borrower_(std::move(peer), std::move(further.server_window), counters),
      wants_bell_(counters.own_wants_bell),
      book_(std::move(counters)) {
  if (further.server_arena != nullptr) further_.AddServers(further.server_arena, further.server_arena->own_);
}

LendingArena::~LendingArena() = default;

void LendingArena::ReclaimSome() { book_.Reclaim(kReclaimedAtOnce, kReclaimedAtOnce, Destructors::kPutOff); }

void LendingArena::ReclaimAll() { book_.Reclaim(LoanBook::kAll, LoanBook::kAll, Destructors::kPutOff); }

absl::StatusOr<void*> LendingArena::Allocate(size_t bytes, size_t alignment, bool zeroed) {
  const auto allocate = [&] {
    return zeroed ? arena_->AllocateZeroed(bytes, alignment) : arena_->Allocate(bytes, alignment);
  };
  ReclaimSome();
  absl::StatusOr<void*> block = allocate();
  if (absl::IsResourceExhausted(block.status())) {
    ReclaimAll();
    block = allocate();
  }
  return block;
}

absl::StatusOr<uint32_t> LendingArena::OpenSlot() {
  ReclaimSome();
  absl::StatusOr<uint32_t> slot = book_.Open();
  if (!slot.ok()) {
    ReclaimAll();
    slot = book_.Open();
  }
  return slot;
}

absl::StatusOr<ObjectEntry*> LendingArena::NewObject(const ObjectType& type) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  if (arena_->header() == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("no object of type ", type.name,
                     " can lie in this arena: its region has no equal address in both processes of the session"));
  }
  const ObjectPlacement placement = PlacementOf(type);
  SLUICE_ASSIGN_OR_RETURN(void* const block,
                          Allocate(placement.block_bytes, placement.block_alignment, /*zeroed=*/false));
  os::Point("object.allocated");
  absl::Cleanup free = [&] { arena_->Free(block, placement.block_bytes); };
  auto* const entry = new ObjectEntry(*this, type, placement, block);
  std::move(free).Cancel();
  return entry;
}

void LendingArena::Finish(ObjectEntry& entry) {
  uint32_t generation = next_generation_.fetch_add(1, std::memory_order_relaxed);
  if (generation == 0) generation = next_generation_.fetch_add(1, std::memory_order_relaxed);
  // Release: whoever finds the object by a loan finds it constructed.
  entry.header_.generation.store(generation, std::memory_order_release);
  objects_.fetch_add(1, std::memory_order_relaxed);
  object_bytes_.fetch_add(entry.object_bytes_, std::memory_order_relaxed);
  if (entry.destroy_ != nullptr) destructors_due_.fetch_add(1, std::memory_order_relaxed);
  os::Point("object.constructed");
}

void LendingArena::Drop(ObjectEntry* entry) {
  arena_->Free(entry->block_, entry->block_bytes_);
  delete entry;
}

void LendingArena::ReleaseOwner(ObjectEntry* entry) {
  if (in_forked_child()) return;
  uint32_t holders = 1;
  if (entry->was_lent_.load(std::memory_order_relaxed)) {
    const size_t back = book_.CloseBackOf(*entry);
    loans_out_.fetch_sub(back, std::memory_order_relaxed);
    holders += static_cast<uint32_t>(back);
  }
  if (entry->LetGo(holders)) Destroy(entry);
}

absl::StatusOr<LoanHandle> LendingArena::LendOnce(LentThing& thing) {
  absl::StatusOr<LoanHandle> loan = book_.LendOnce(thing);
  if (!loan.ok()) {
    ReclaimAll();
    loan = book_.LendOnce(thing);
  }
  return loan;
}

absl::StatusOr<shm::LoanRef> LendingArena::Lend(ObjectEntry& entry) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  ReclaimSome();
  TsanLent(own_);
  entry.was_lent_.store(true, std::memory_order_relaxed);
  entry.holders_.fetch_add(1, std::memory_order_relaxed);  // The caller holds it anyway.
  loans_out_.fetch_add(1, std::memory_order_relaxed);
  absl::Cleanup take_back = [&] {
    loans_out_.fetch_sub(1, std::memory_order_relaxed);
    entry.holders_.fetch_sub(1, std::memory_order_relaxed);
  };
  SLUICE_ASSIGN_OR_RETURN(const LoanHandle loan, LendOnce(entry));
  std::move(take_back).Cancel();
  os::Point("loan.lent");
  return shm::LoanRef{.offset = own_.OffsetOf(entry.object_),
                      .region = kSessionRegion,
                      .slot = loan.slot,
                      .generation = loan.generation,
                      .object_generation = entry.header_.generation.load(std::memory_order_relaxed)};
}

absl::StatusOr<shm::LoanRef> LendingArena::LendFurther(const ObjectEntry& entry, std::shared_ptr<const void> object) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  SLUICE_ASSIGN_OR_RETURN(const uint32_t region, further_.NumberOf(entry.arena()));
  ReclaimSome();
  TsanLent(entry.arena().own_);
  auto further_loan = std::make_unique<FurtherLoan>(*this, std::move(object), entry.destroy_ != nullptr);
  loans_out_.fetch_add(1, std::memory_order_relaxed);
  destructors_due_.fetch_add(1, std::memory_order_relaxed);
  absl::Cleanup take_back = [&] {
    loans_out_.fetch_sub(1, std::memory_order_relaxed);
    destructors_due_.fetch_sub(1, std::memory_order_relaxed);
  };
  SLUICE_ASSIGN_OR_RETURN(const LoanHandle loan, LendOnce(*further_loan));
  std::move(take_back).Cancel();
  further_loan.release();  // The book's, until it came back.
  os::Point("loan.lent");
  return shm::LoanRef{.offset = entry.arena().own_.OffsetOf(entry.object_),
                      .region = region,
                      .slot = loan.slot,
                      .generation = loan.generation,
                      .object_generation = entry.header_.generation.load(std::memory_order_relaxed)};
}

void LendingArena::TakeBack(uint32_t slot) {
  if (!in_forked_child()) book_.TakeBackOnce(slot);
}

void LendingArena::GoesBy(uint32_t slot, std::shared_ptr<const PeerEnd> peer_end, uint64_t message) {
  if (!in_forked_child()) book_.GoesBy(slot, std::move(peer_end), message);
}

absl::Status LendingArena::Share(const std::shared_ptr<LendingArena>& arena, FdView for_peer) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  return further_.Share(arena, arena->own_, for_peer);
}

absl::Status LendingArena::AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address, Access access,
                                      Pages pages) {
  if (!region.ok()) {
    borrower_.AddRegion(WithContext(region.status(), "the peer's arena is not here"));
    return absl::OkStatus();
  }
  absl::StatusOr<RegionWindow> window = MapArena(*std::move(region), access, address, pages);
  if (absl::IsDataLoss(window.status())) return window.status();
  if (!window.ok()) {
    window = WithContext(window.status(), "the peer's arena is not here");
  } else if (window->region->address() != address) {
    window = absl::FailedPreconditionError(absl::StrCat(
        "the peer's arena is not here: it lies at 0x", absl::Hex(address),
        " in the peer, and in this process something else lies there; let the peer make another arena and share that"));
  }
  borrower_.AddRegion(std::move(window));
  return absl::OkStatus();
}

absl::StatusOr<void*> LendingArena::Borrow(const shm::LoanRef& ref, const ObjectType& type,
                                           std::shared_ptr<const BorrowedLoan>* loan) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  SLUICE_ASSIGN_OR_RETURN(BorrowedLoan borrowed, borrower_.TakeOnce({.slot = ref.slot, .generation = ref.generation}));
  const PeerRegions& regions = borrower_.lender().regions();
  const absl::StatusOr<RegionWindow>* window = regions.Find(ref.region);
  if (window == nullptr) {
    // The reference may have overtaken the announcement of its region.
    if (const std::shared_ptr<RegionExchange> exchange = further_.exchange()) exchange->TakeIn();
    window = regions.Find(ref.region);
  }
  if (window == nullptr) {
    return absl::DataLossError(absl::StrCat("the peer lent an object in region ", ref.region, ", which it has not"));
  }
  SLUICE_RETURN_IF_ERROR(window->status());
  TsanBorrowed(**window);
  SLUICE_ASSIGN_OR_RETURN(std::byte* const object, FindLent(**window, ref, type));
  *loan = std::make_shared<const BorrowedLoan>(std::move(borrowed));
  os::Point("loan.borrowed");
  return object;
}

void LendingArena::LetGo(ObjectEntry* entry, Destructors destructors) {
  if (entry->destroy_ == nullptr || destructors == Destructors::kRun) return Destroy(entry);
  PutOff(*entry);
}

void LendingArena::PutOff(Held& held) {
  const MutexLock lock(mutex_);
  due_.push_back(&held);
}

void LendingArena::Destroy(ObjectEntry* entry) {
  TsanTakenBack(own_);
  // Relaxed: nobody has a loan of it. What comes of a stale one is refused.
  entry->header_.generation.store(0, std::memory_order_relaxed);
  os::Point("object.destroying");
  if (entry->destroy_ != nullptr) {
    entry->destroy_(entry->object_);
    destructors_due_.fetch_sub(1, std::memory_order_relaxed);
  }
  objects_.fetch_sub(1, std::memory_order_relaxed);
  object_bytes_.fetch_sub(entry->object_bytes_, std::memory_order_relaxed);
  Drop(entry);
  os::Point("object.destroyed");
}

LendingArena::Place LendingArena::PlaceOf(absl::Span<const std::byte> memory) const {
  Place place;
  const auto look_in = [&](const RegionWindow& window) {
    if (place.region != nullptr || window.region == nullptr || !window.region->Contains(memory.data())) return;
    const size_t offset = window.OffsetOf(memory.data());
    if (window.Contains(offset, memory.size())) place = {.region = window.region, .offset = offset};
  };
  look_in(own_);
  borrower_.lender().regions().ForEach(look_in);
  further_.ForEach(look_in);
  return place;
}

absl::Status LendingArena::FullFor(const ObjectType& type) const {
  const shm::ArenaStats now = arena_->stats();
  return absl::ResourceExhaustedError(absl::StrCat("the arena has no room for what an object of type ", type.name,
                                                   " allocates: ", now.allocated_bytes, " of its ", now.limit_bytes,
                                                   " bytes are allocated, in ", now.live_allocations, " blocks",
                                                   FullArenaRemedy(own_.is_committed)));
}

size_t LendingArena::Reclaim(size_t max) {
  EndedArenas::Get().Sweep();
  if (in_forked_child()) return 0;
  const size_t destroyed = ReclaimObjects(max);
  if (has_wait_fd_.load(std::memory_order_relaxed)) {
    if (const std::shared_ptr<RegionExchange> exchange = further_.exchange()) WaitForReleases(*exchange);
  }
  return destroyed;
}

absl::StatusOr<FdView> LendingArena::WaitFd() {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const std::shared_ptr<RegionExchange> exchange = further_.exchange();
  if (exchange == nullptr) return absl::CancelledError("the session was closed on this side");
  SLUICE_ASSIGN_OR_RETURN(const FdView fd, exchange->ReleasesFd());
  has_wait_fd_.store(true, std::memory_order_relaxed);
  WaitForReleases(*exchange);
  return fd;
}

void LendingArena::WaitForReleases(RegionExchange& exchange) {
  exchange.QuietReleases();
  // Sequentially consistent, before the look at what is back; pairs with Lender::RingIfWanted. 0 is no wish.
  if (wants_bell_->fetch_add(1, std::memory_order_seq_cst) + 1 == 0) {
    wants_bell_->fetch_add(1, std::memory_order_seq_cst);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (book_.IsAnyBack() || loan_stats().destroyable > 0) exchange.SignalReleases();
}

size_t LendingArena::ReclaimObjects(size_t max) {
  const bool was_idle = arena_->IsIdle();  // What is found to be back now was free before.
  ReclaimAll();
  size_t destroyed = 0;
  for (Held* held; destroyed < max && (held = NextDue()) != nullptr; ++destroyed) held->End();
  arena_->Purge(/*all=*/was_idle);
  return destroyed;
}

Held* LendingArena::NextDue() {
  const MutexLock lock(mutex_);
  if (due_.empty()) return nullptr;
  Held* const held = due_.front();
  due_.pop_front();
  return held;
}

shm::LoanStats LendingArena::loan_stats() {
  const MutexLock lock(mutex_);
  return {.objects = objects_.load(std::memory_order_relaxed),
          .object_bytes = object_bytes_.load(std::memory_order_relaxed),
          .loans_out = loans_out_.load(std::memory_order_relaxed),
          .destroyable = due_.size()};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
