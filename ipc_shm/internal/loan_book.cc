#include "ipc_shm/internal/loan_book.h"

#include <algorithm>
#include <array>
#include <utility>

#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// How many slots are closed under one lock.
constexpr size_t kClosedAtOnce = 64;

}  // namespace

LoanBook::LoanBook(ReleaseCounters counters) : counters_(std::move(counters)), ledger_(counters_.peer) {}

LoanBook::~LoanBook() {
  while (true) {
    LentThing* thing;
    {
      const MutexLock lock(mutex_);
      if (oldest_ == kNoSlot) return;
      thing = watched_[oldest_].thing;
      while (thing->first_slot_ != kNoSlot) StopWatching(thing->first_slot_);
    }
    thing->Abandon();
  }
}

absl::StatusOr<uint32_t> LoanBook::Open() {
  const MutexLock lock(mutex_);
  return OpenOne();
}

absl::StatusOr<uint32_t> LoanBook::OpenOne() {
  // First: what throws must not cost a slot.
  if (watched_.size() <= ledger_.opened()) watched_.resize(ledger_.opened() + 1);
  return ledger_.Open();
}

LoanHandle LoanBook::Lend(uint32_t slot) {
  const MutexLock lock(mutex_);
  return ledger_.Lend(slot);
}

void LoanBook::TakeBack(uint32_t slot) {
  const MutexLock lock(mutex_);
  ledger_.TakeBack(slot);
}

void LoanBook::Watch(uint32_t slot, LentThing& thing) {
  {
    const MutexLock lock(mutex_);
    if (!IsBack(slot)) return StartWatching(slot, thing);
    ledger_.Close(slot);
  }
  thing.CameBack(Destructors::kRun);
}

absl::StatusOr<LoanHandle> LoanBook::LendOnce(LentThing& thing) {
  const MutexLock lock(mutex_);
  SLUICE_ASSIGN_OR_RETURN(const uint32_t slot, OpenOne());
  StartWatching(slot, thing);
  return ledger_.Lend(slot);
}

void LoanBook::GoesBy(uint32_t slot, std::shared_ptr<const PeerEnd> peer_end, uint64_t message) {
  const MutexLock lock(mutex_);
  // The peer may have ended, and all of its loans with it.
  if (slot >= watched_.size() || watched_[slot].thing == nullptr) return;
  watched_[slot].peer_end = std::move(peer_end);
  watched_[slot].message = message;
}

void LoanBook::TakeBackOnce(uint32_t slot) {
  LentThing* thing;
  {
    const MutexLock lock(mutex_);
    // The peer may have ended, and all of its loans with it.
    if (slot >= watched_.size() || watched_[slot].thing == nullptr) return;
    ledger_.TakeBack(slot);
    thing = &StopWatching(slot);
    ledger_.Close(slot);
  }
  thing->CameBack(Destructors::kRun);
}

size_t LoanBook::CloseBackOf(LentThing& thing) {
  HasPeerLetGo(/*asks_kernel=*/false);
  size_t closed = 0;
  const MutexLock lock(mutex_);
  for (uint32_t slot = thing.first_slot_; slot != kNoSlot;) {
    const uint32_t next = watched_[slot].next_of_thing;
    if (IsBack(slot)) {
      CloseWatched(slot);
      ++closed;
    }
    slot = next;
  }
  return closed;
}

size_t LoanBook::Reclaim(size_t looks, size_t max, Destructors destructors) {
  HasPeerLetGo(/*asks_kernel=*/looks == kAll);
  size_t total = 0;
  bool is_first = true;
  while (looks > 0 && total < max) {
    std::array<LentThing*, kClosedAtOnce> back;
    size_t count = 0;
    {
      const MutexLock lock(mutex_);
      if (std::exchange(is_first, false)) looks = std::min(looks, watched_count_);
      const size_t wanted = std::min(kClosedAtOnce, max - total);
      for (; looks > 0 && oldest_ != kNoSlot && count < wanted; --looks) {
        const uint32_t slot = oldest_;
        if (IsBack(slot)) {
          back[count++] = &CloseWatched(slot);
        } else {
          oldest_ = watched_[slot].next;
        }
      }
      if (oldest_ == kNoSlot) looks = 0;
    }
    for (size_t i = 0; i < count; ++i) back[i]->CameBack(destructors);
    total += count;
  }
  return total;
}

bool LoanBook::IsAnyBack() {
  HasPeerLetGo(/*asks_kernel=*/false);
  const MutexLock lock(mutex_);
  uint32_t slot = oldest_;
  for (size_t i = 0; i < watched_count_; ++i, slot = watched_[slot].next) {
    if (IsBack(slot)) return true;
  }
  return false;
}

bool LoanBook::HasPeerLetGo(bool asks_kernel) {
  if (peer_let_go_.load(std::memory_order_acquire)) return true;
  // Acquire: pairs with ~Lender.
  const bool has =
      (counters_.peer_retired != nullptr && counters_.peer_retired->load(std::memory_order_acquire) == 1) ||
      (asks_kernel && counters_.peer_process != nullptr && counters_.peer_process->HasEnded());
  if (has) peer_let_go_.store(true, std::memory_order_release);
  return has;
}

bool LoanBook::IsBack(uint32_t slot) const {
  return ledger_.IsBack(slot) || peer_let_go_.load(std::memory_order_acquire) || IsLost(slot);
}

bool LoanBook::IsLost(uint32_t slot) const {
  if (slot >= watched_.size()) return false;
  const Watched& watched = watched_[slot];
  return watched.peer_end != nullptr && watched.peer_end->Misses(watched.message);
}

LentThing& LoanBook::CloseWatched(uint32_t slot) {
  if (!ledger_.IsBack(slot) && IsLost(slot)) ledger_.TakeBack(slot);
  ledger_.Close(slot);
  return StopWatching(slot);
}

void LoanBook::StartWatching(uint32_t slot, LentThing& thing) noexcept {
  Watched& added = watched_[slot];
  added.thing = &thing;
  if (oldest_ == kNoSlot) {
    oldest_ = added.next = added.previous = slot;
  } else {
    Watched& oldest = watched_[oldest_];
    added.next = oldest_;
    added.previous = oldest.previous;
    watched_[oldest.previous].next = slot;
    oldest.previous = slot;
  }
  added.previous_of_thing = kNoSlot;
  added.next_of_thing = thing.first_slot_;
  if (thing.first_slot_ != kNoSlot) watched_[thing.first_slot_].previous_of_thing = slot;
  thing.first_slot_ = slot;
  ++watched_count_;
}

LentThing& LoanBook::StopWatching(uint32_t slot) {
  Watched& removed = watched_[slot];
  LentThing& thing = *std::exchange(removed.thing, nullptr);
  removed.peer_end = nullptr;
  if (removed.next == slot) {
    oldest_ = kNoSlot;
  } else {
    watched_[removed.previous].next = removed.next;
    watched_[removed.next].previous = removed.previous;
    if (oldest_ == slot) oldest_ = removed.next;
  }
  if (removed.previous_of_thing == kNoSlot) {
    thing.first_slot_ = removed.next_of_thing;
  } else {
    watched_[removed.previous_of_thing].next_of_thing = removed.next_of_thing;
  }
  if (removed.next_of_thing != kNoSlot) {
    watched_[removed.next_of_thing].previous_of_thing = removed.previous_of_thing;
  }
  --watched_count_;
  return thing;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
