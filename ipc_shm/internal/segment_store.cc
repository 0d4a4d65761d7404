#include "ipc_shm/internal/segment_store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A processor's cache line; more than a word of Cap'n Proto needs.
constexpr size_t kAlignment = 64;
constexpr size_t kWordBytes = 8;
// Of what is draining, at each allocation.
constexpr size_t kReclaimedAtOnce = 8;

}  // namespace

class SegmentStore::Stored final : public StoredSegments {
 public:
  Stored(std::shared_ptr<SegmentStore> store, uint32_t slot, Segments segments, std::vector<SegmentAddress> addresses)
      : store_(std::move(store)), slot_(slot), segments_(std::move(segments)), addresses_(std::move(addresses)) {}
  ~Stored() override { store_->Retire(slot_, std::move(segments_)); }

  absl::Span<const SegmentAddress> addresses() const override { return addresses_; }

  absl::StatusOr<LoanHandle> Lend() override {
    const MutexLock lock(store_->mutex_);
    return store_->ledger_.Lend(slot_);
  }

  void TakeBack(LoanHandle loan) override {
    const MutexLock lock(store_->mutex_);
    store_->ledger_.TakeBack(loan.slot);
  }

 private:
  const std::shared_ptr<SegmentStore> store_;
  const uint32_t slot_;
  Segments segments_;
  const std::vector<SegmentAddress> addresses_;
};

class SegmentStore::Borrowed final : public BorrowedSegments {
 public:
  Borrowed(BorrowedLoan loan, std::vector<absl::Span<const std::byte>> segments)
      : loan_(std::move(loan)), segments_(std::move(segments)) {}

  absl::Span<const absl::Span<const std::byte>> segments() const override { return segments_; }

 private:
  const BorrowedLoan loan_;
  const std::vector<absl::Span<const std::byte>> segments_;
};

std::shared_ptr<SegmentStore> SegmentStore::Create(std::unique_ptr<shm::Arena> arena, RegionWindow own,
                                                   RegionWindow peer, ReleaseCounters counters) {
  return std::shared_ptr<SegmentStore>(
      new SegmentStore(std::move(arena), std::move(own), std::move(peer), std::move(counters)));
}

SegmentStore::SegmentStore(std::unique_ptr<shm::Arena> arena, RegionWindow own, RegionWindow peer,
                           ReleaseCounters counters)
    : arena_(std::move(arena)),
      own_(std::move(own)),
      lender_(std::make_shared<const Lender>(Lender{.window = std::move(peer), .counters = std::move(counters)})),
      ledger_(lender_->counters.peer) {}

absl::StatusOr<absl::Span<std::byte>> SegmentStore::Allocate(size_t bytes) {
  Reclaim(kReclaimedAtOnce);
  absl::StatusOr<void*> block = arena_->AllocateZeroed(bytes, kAlignment);
  if (!block.ok()) {
    Reclaim(std::numeric_limits<size_t>::max());
    block = arena_->AllocateZeroed(bytes, kAlignment);
  }
  if (!block.ok()) return block.status();
  return absl::MakeSpan(static_cast<std::byte*>(*block), bytes);
}

void SegmentStore::Free(absl::Span<std::byte> segment) { arena_->Free(segment.data(), segment.size()); }

absl::StatusOr<std::unique_ptr<StoredSegments>> SegmentStore::Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                                      absl::Span<const size_t> used) {
  Reclaim(kReclaimedAtOnce);
  absl::StatusOr<uint32_t> slot = OpenSlot();
  if (!slot.ok()) {
    Reclaim(std::numeric_limits<size_t>::max());
    slot = OpenSlot();
  }
  if (!slot.ok()) return slot.status();
  Segments kept;
  std::vector<SegmentAddress> addresses;
  kept.reserve(segments.size());
  addresses.reserve(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    std::byte* const data = segments[i].data();
    kept.push_back(absl::MakeSpan(data, arena_->Shrink(data, segments[i].size(), used[i])));
    addresses.push_back({.region = 0, .offset = own_.OffsetOf(data), .bytes = used[i]});
  }
  return std::make_unique<Stored>(shared_from_this(), *slot, std::move(kept), std::move(addresses));
}

absl::StatusOr<uint32_t> SegmentStore::OpenSlot() {
  const MutexLock lock(mutex_);
  return ledger_.Open();
}

void SegmentStore::Retire(uint32_t slot, Segments segments) {
  {
    const MutexLock lock(mutex_);
    if (!ledger_.IsBack(slot)) {
      draining_.push_back({slot, std::move(segments)});
      return;
    }
    ledger_.Close(slot);
  }
  for (const absl::Span<std::byte> segment : segments) Free(segment);
}

void SegmentStore::Reclaim(size_t count) {
  std::vector<Segments> back;
  {
    const MutexLock lock(mutex_);
    for (size_t left = std::min(count, draining_.size()); left > 0; --left) {
      Draining oldest = std::move(draining_.front());
      draining_.pop_front();
      if (ledger_.IsBack(oldest.slot)) {
        ledger_.Close(oldest.slot);
        back.push_back(std::move(oldest.segments));
      } else {
        draining_.push_back(std::move(oldest));
      }
    }
  }
  for (const Segments& segments : back) {
    for (const absl::Span<std::byte> segment : segments) Free(segment);
  }
}

absl::StatusOr<std::unique_ptr<BorrowedSegments>> SegmentStore::Borrow(LoanHandle loan,
                                                                       absl::Span<const SegmentAddress> addresses) {
  const size_t slots = lender_->counters.own.size();
  if (loan.slot >= slots) {
    return absl::DataLossError(absl::StrCat("the peer lent a message in slot ", loan.slot, " of ", slots));
  }
  BorrowedLoan borrowed(lender_, loan.slot);
  const RegionWindow& window = lender_->window;
  std::vector<absl::Span<const std::byte>> segments;
  segments.reserve(addresses.size());
  for (const SegmentAddress& address : addresses) {
    if (address.region != 0) {
      return absl::DataLossError(absl::StrCat("the peer sent a segment in region ", address.region, "; it has only 0"));
    }
    if (address.offset % kWordBytes != 0 || !window.Contains(address.offset, address.bytes)) {
      return absl::DataLossError(absl::StrCat("the peer sent a segment of ", address.bytes, " bytes at ",
                                              address.offset, ", which does not lie in its memory at ", window.offset,
                                              " + ", window.bytes));
    }
    segments.push_back(absl::MakeConstSpan(window.region->data() + address.offset, address.bytes));
  }
  return std::make_unique<Borrowed>(std::move(borrowed), std::move(segments));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
