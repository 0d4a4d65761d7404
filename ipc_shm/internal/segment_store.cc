#include "ipc_shm/internal/segment_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/internal/loan_book.h"
#include "ipc_shm/internal/tsan_order.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A processor's cache line; more than a word of Cap'n Proto needs.
constexpr size_t kAlignment = 64;
constexpr size_t kWordBytes = 8;

using Segments = std::vector<absl::Span<std::byte>>;

// Segments that are of no more use to this side, and not all back from the peer.
class Draining final : public LentThing {
 public:
  Draining(LendingArena& arena, Segments segments) : arena_(arena), segments_(std::move(segments)) {}

  void CameBack(Destructors /*destructors*/) override {
    TsanTakenBack(arena_.own());
    for (const absl::Span<std::byte> segment : segments_) arena_.arena().Free(segment.data(), segment.size());
    delete this;
  }

  void Abandon() override { delete this; }

 private:
  LendingArena& arena_;
  const Segments segments_;
};

}  // namespace

class SegmentStore::Stored final : public StoredSegments {
 public:
  Stored(std::shared_ptr<LendingArena> arena, uint32_t slot, Segments segments, std::vector<SegmentAddress> addresses)
      : arena_(std::move(arena)), slot_(slot), segments_(std::move(segments)), addresses_(std::move(addresses)) {}
  ~Stored() override {
    if (arena_->in_forked_child()) return;
    // The book, or what it calls, deletes it.
    arena_->book().Watch(slot_, *new Draining(*arena_, std::move(segments_)));
  }

  absl::Span<const SegmentAddress> addresses() const override { return addresses_; }

  absl::StatusOr<LoanHandle> Lend() override {
    TsanLent(arena_->own());
    return arena_->book().Lend(slot_);
  }

  void TakeBack(LoanHandle loan) override { arena_->book().TakeBack(loan.slot); }

 private:
  const std::shared_ptr<LendingArena> arena_;
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
                                                   RegionWindow peer, ReleaseCounters counters,
                                                   FurtherRegions further) {
  return std::shared_ptr<SegmentStore>(new SegmentStore(LendingArena::Create(
      std::move(arena), std::move(own), std::move(peer), std::move(counters), std::move(further))));
}

absl::StatusOr<absl::Span<std::byte>> SegmentStore::Allocate(size_t bytes) {
  SLUICE_ASSIGN_OR_RETURN(void* const block, arena_->Allocate(bytes, kAlignment, /*zeroed=*/true));
  return absl::MakeSpan(static_cast<std::byte*>(block), bytes);
}

void SegmentStore::Free(absl::Span<std::byte> segment) { arena_->arena().Free(segment.data(), segment.size()); }

MemoryUsage SegmentStore::Usage() const {
  const shm::ArenaStats blocks = arena_stats();
  const shm::LoanStats loans = arena_->loan_stats();
  return {.allocated_bytes = blocks.allocated_bytes,
          .cached_bytes = blocks.cached_bytes,
          .dirty_bytes = blocks.dirty_bytes,
          .fragmented_bytes = blocks.fragmented_bytes(),
          .committed_bytes = blocks.committed_bytes,
          .limit_bytes = blocks.limit_bytes,
          .blocks = blocks.live_allocations,
          .objects = loans.objects,
          .object_bytes = loans.object_bytes,
          .loans_out = loans.loans_out};
}

absl::StatusOr<std::unique_ptr<StoredSegments>> SegmentStore::Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                                      absl::Span<const size_t> used) {
  Segments kept;
  std::vector<SegmentAddress> addresses;
  kept.reserve(segments.size());
  addresses.reserve(segments.size());
  SLUICE_ASSIGN_OR_RETURN(const uint32_t slot, arena_->OpenSlot());
  for (size_t i = 0; i < segments.size(); ++i) {
    std::byte* const data = segments[i].data();
    kept.push_back(absl::MakeSpan(data, arena_->arena().Shrink(data, segments[i].size(), used[i])));
    addresses.push_back({.region = 0, .offset = arena_->own().OffsetOf(data), .bytes = used[i]});
  }
  return std::make_unique<Stored>(arena_, slot, std::move(kept), std::move(addresses));
}

absl::StatusOr<std::unique_ptr<BorrowedSegments>> SegmentStore::Borrow(LoanHandle loan,
                                                                       absl::Span<const SegmentAddress> addresses) {
  SLUICE_ASSIGN_OR_RETURN(BorrowedLoan borrowed, arena_->borrower().Take(loan));
  const RegionWindow& window = arena_->borrower().window();
  TsanBorrowed(window);
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
