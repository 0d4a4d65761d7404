#include "ipc_transport/structured/testing/fake_store.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

using ipc::internal::Mutex;
using ipc::internal::MutexLock;

// What one end owns. Shared by all that came from it.
struct FakeStore::Side {
  struct Slot {
    std::shared_ptr<Content> content;  // Null: free.
    uint32_t generation = 0;
    bool is_borrowed = false;
  };

  Side(uint32_t region, const Limits& limits) : region(region), limits(limits) {}

  // Of a slot that is lent with this generation; null if there is none.
  Slot* Find(LoanHandle loan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (loan.slot >= slots.size()) return nullptr;
    Slot& slot = slots[loan.slot];
    return slot.content != nullptr && slot.generation == loan.generation ? &slot : nullptr;
  }

  // Ends the loan of `slot`; the result is to be destroyed without the lock.
  std::shared_ptr<Content> Return(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    --loans;
    slot.is_borrowed = false;
    return std::move(slot.content);
  }

  void Free(absl::Span<std::byte> segment) ABSL_LOCKS_EXCLUDED(mutex) {
    std::free(segment.data());
    const MutexLock lock(mutex);
    bytes -= segment.size();
    --segments;
  }

  const uint32_t region;
  const Limits limits;
  mutable Mutex mutex;
  size_t bytes ABSL_GUARDED_BY(mutex) = 0;
  size_t segments ABSL_GUARDED_BY(mutex) = 0;
  size_t messages ABSL_GUARDED_BY(mutex) = 0;
  size_t loans ABSL_GUARDED_BY(mutex) = 0;
  std::vector<Slot> slots ABSL_GUARDED_BY(mutex);
};

// A published message: shared by its owner and its loans.
class FakeStore::Content {
 public:
  Content(std::shared_ptr<Side> side, absl::Span<const absl::Span<std::byte>> segments, absl::Span<const size_t> used)
      : side_(std::move(side)), spaces_(segments.begin(), segments.end()) {
    for (size_t i = 0; i < segments.size(); ++i) {
      addresses_.push_back({.region = side_->region,
                            .reserved = 0,
                            .offset = reinterpret_cast<uint64_t>(segments[i].data()),
                            .bytes = used[i]});
      readable_.push_back(segments[i].first(used[i]));
    }
  }
  ~Content() {
    for (const absl::Span<std::byte> space : spaces_) side_->Free(space);
    const MutexLock lock(side_->mutex);
    --side_->messages;
  }

  const std::vector<SegmentAddress>& addresses() const { return addresses_; }
  absl::Span<const absl::Span<const std::byte>> readable() const { return readable_; }

 private:
  const std::shared_ptr<Side> side_;
  const std::vector<absl::Span<std::byte>> spaces_;
  std::vector<SegmentAddress> addresses_;
  std::vector<absl::Span<const std::byte>> readable_;
};

class FakeStore::Stored final : public StoredSegments {
 public:
  Stored(std::shared_ptr<Side> side, std::shared_ptr<Content> content)
      : side_(std::move(side)), content_(std::move(content)) {}

  absl::Span<const SegmentAddress> addresses() const override { return content_->addresses(); }

  absl::StatusOr<LoanHandle> Lend() override {
    const MutexLock lock(side_->mutex);
    if (side_->loans >= side_->limits.loans) {
      return absl::ResourceExhaustedError(absl::StrCat(side_->loans, " loans are out"));
    }
    auto slot = std::find_if(side_->slots.begin(), side_->slots.end(),
                             [](const Side::Slot& slot) { return slot.content == nullptr; });
    if (slot == side_->slots.end()) slot = side_->slots.emplace(slot);
    slot->content = content_;
    ++side_->loans;
    return LoanHandle{.slot = static_cast<uint32_t>(slot - side_->slots.begin()), .generation = ++slot->generation};
  }

  void TakeBack(LoanHandle loan) override {
    std::shared_ptr<Content> content;
    const MutexLock lock(side_->mutex);
    Side::Slot* const slot = side_->Find(loan);
    if (slot == nullptr || slot->is_borrowed || slot->content != content_) {
      ADD_FAILURE() << "loan " << loan.slot << " is taken back, but is not out, or borrowed, or another message's";
      return;
    }
    content = side_->Return(*slot);
  }

 private:
  const std::shared_ptr<Side> side_;
  const std::shared_ptr<Content> content_;
};

class FakeStore::Borrowed final : public BorrowedSegments {
 public:
  Borrowed(std::shared_ptr<Side> side, LoanHandle loan, std::vector<absl::Span<const std::byte>> segments)
      : side_(std::move(side)), loan_(loan), segments_(std::move(segments)) {}
  ~Borrowed() override {
    std::shared_ptr<Content> content;
    {
      const MutexLock lock(side_->mutex);
      content = side_->Return(*side_->Find(loan_));
    }
  }

  absl::Span<const absl::Span<const std::byte>> segments() const override { return segments_; }

 private:
  const std::shared_ptr<Side> side_;
  const LoanHandle loan_;
  const std::vector<absl::Span<const std::byte>> segments_;
};

std::pair<std::shared_ptr<FakeStore>, std::shared_ptr<FakeStore>> FakeStore::CreatePair() { return CreatePair({}); }

std::pair<std::shared_ptr<FakeStore>, std::shared_ptr<FakeStore>> FakeStore::CreatePair(const Limits& limits) {
  const auto first = std::make_shared<Side>(1, limits);
  const auto second = std::make_shared<Side>(2, limits);
  return {std::shared_ptr<FakeStore>(new FakeStore(first, second)),
          std::shared_ptr<FakeStore>(new FakeStore(second, first))};
}

FakeStore::FakeStore(std::shared_ptr<Side> own, std::shared_ptr<Side> peer)
    : own_(std::move(own)), peer_(std::move(peer)) {}

absl::StatusOr<absl::Span<std::byte>> FakeStore::Allocate(size_t bytes) {
  const MutexLock lock(own_->mutex);
  if (bytes > own_->limits.segment_bytes || bytes > own_->limits.bytes - own_->bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(own_->bytes, " of ", own_->limits.bytes, " bytes are in use, ", bytes, " are wanted"));
  }
  own_->bytes += bytes;
  ++own_->segments;
  return absl::MakeSpan(static_cast<std::byte*>(std::calloc(bytes, 1)), bytes);
}

void FakeStore::Free(absl::Span<std::byte> segment) { own_->Free(segment); }

absl::StatusOr<std::unique_ptr<StoredSegments>> FakeStore::Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                                   absl::Span<const size_t> used) {
  {
    const MutexLock lock(own_->mutex);
    if (own_->messages >= own_->limits.messages) {
      return absl::ResourceExhaustedError(absl::StrCat(own_->messages, " messages are out"));
    }
    ++own_->messages;
  }
  return std::make_unique<Stored>(own_, std::make_shared<Content>(own_, segments, used));
}

absl::StatusOr<std::unique_ptr<BorrowedSegments>> FakeStore::Borrow(LoanHandle loan,
                                                                    absl::Span<const SegmentAddress> addresses) {
  std::shared_ptr<Content> refused;
  const MutexLock lock(peer_->mutex);
  Side::Slot* const slot = peer_->Find(loan);
  if (slot == nullptr || slot->is_borrowed) {
    return absl::DataLossError(absl::StrCat("the peer sent loan ", loan.slot, ", which is not out"));
  }
  std::vector<absl::Span<const std::byte>> segments;
  const std::vector<SegmentAddress>& honest = slot->content->addresses();
  for (const SegmentAddress& address : addresses) {
    const auto found = std::find_if(honest.begin(), honest.end(), [&](const SegmentAddress& one) {
      return one.region == address.region && one.offset == address.offset && one.bytes == address.bytes;
    });
    if (found == honest.end()) {
      refused = peer_->Return(*slot);
      return absl::DataLossError(absl::StrCat("the peer sent an address of ", address.bytes, " bytes that is none"));
    }
    segments.push_back(slot->content->readable()[found - honest.begin()]);
  }
  slot->is_borrowed = true;
  return std::make_unique<Borrowed>(peer_, loan, std::move(segments));
}

size_t FakeStore::segments() const {
  const MutexLock lock(own_->mutex);
  return own_->segments;
}

size_t FakeStore::loans() const {
  const MutexLock lock(own_->mutex);
  return own_->loans;
}

std::string FakeStore::usage() const {
  const MutexLock lock(own_->mutex);
  return absl::StrCat(own_->segments, " segments of ", own_->bytes, " bytes, ", own_->messages, " messages, ",
                      own_->loans, " loans");
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
