// Where the large part of a typed message lies: the one interface that a session's memory implements. Knows nothing of
// Cap'n Proto.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_STORE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {

// A segment as the peer finds it; travels in the message's record.
struct SegmentAddress {
  uint32_t region = 0;  // Number of the owner's region in the session.
  uint32_t reserved = 0;
  uint64_t offset = 0;  // In bytes.
  uint64_t bytes = 0;
};

// The right of the peer to read one message, once; travels in the message's record.
struct LoanHandle {
  uint32_t slot = 0;
  uint32_t generation = 0;
};

// A finished message's segments on the owner's side. Destroying it ends the owner's own use; the memory is freed when
// the last loan has come back too.
class StoredSegments {
 public:
  virtual ~StoredSegments() = default;

  virtual absl::Span<const SegmentAddress> addresses() const = 0;

  // One more loan, for one send. RESOURCE_EXHAUSTED: too many are out.
  virtual absl::StatusOr<LoanHandle> Lend() = 0;

  // Takes a loan back whose record was never sent.
  virtual void TakeBack(LoanHandle loan) = 0;
};

// A peer's segments as this side reads them. Destroying it gives the loan back.
class BorrowedSegments {
 public:
  virtual ~BorrowedSegments() = default;

  virtual absl::Span<const absl::Span<const std::byte>> segments() const = 0;
};

// Memory that both sides of a session reach. Any thread. A store is kept alive by what came from it.
class MessageStore {
 public:
  virtual ~MessageStore() = default;

  // At least `bytes` zeroed bytes, aligned for any Cap'n Proto word; the caller owns them until `Free` or `Publish`.
  // RESOURCE_EXHAUSTED: not to be had; the text has the figures and what to raise.
  virtual absl::StatusOr<absl::Span<std::byte>> Allocate(size_t bytes) = 0;

  virtual void Free(absl::Span<std::byte> segment) = 0;

  // Takes over the segments of a finished message, in their order. Of each, the first `used[i]` bytes are kept, and
  // whole pages behind them given back. RESOURCE_EXHAUSTED: too many messages are out; the segments stay the caller's.
  virtual absl::StatusOr<std::unique_ptr<StoredSegments>> Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                                  absl::Span<const size_t> used) = 0;

  // Checks what a peer's record says and makes it readable. DATA_LOSS: it names no segment of the peer. When it fails
  // the loan is given back all the same if `loan` is valid.
  virtual absl::StatusOr<std::unique_ptr<BorrowedSegments>> Borrow(LoanHandle loan,
                                                                   absl::Span<const SegmentAddress> addresses) = 0;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_STORE_H_
