// A store over private memory that both ends of a channel in one process share, and that counts what is out.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_FAKE_STORE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_FAKE_STORE_H_

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// As MessageStore. Memory is freed, and so watched by the sanitizers, once nobody has a right to it.
class FakeStore final : public MessageStore {
 public:
  struct Limits {
    size_t bytes = std::numeric_limits<size_t>::max();          // Of all segments.
    size_t segment_bytes = std::numeric_limits<size_t>::max();  // Of one.
    size_t messages = 1000;                                     // Published.
    size_t loans = 1000;                                        // Out.
  };

  // Each borrows what the other lends.
  static std::pair<std::shared_ptr<FakeStore>, std::shared_ptr<FakeStore>> CreatePair();
  static std::pair<std::shared_ptr<FakeStore>, std::shared_ptr<FakeStore>> CreatePair(const Limits& limits);

  absl::StatusOr<absl::Span<std::byte>> Allocate(size_t bytes) override;
  void Free(absl::Span<std::byte> segment) override;
  absl::StatusOr<std::unique_ptr<StoredSegments>> Publish(absl::Span<const absl::Span<std::byte>> segments,
                                                          absl::Span<const size_t> used) override;
  absl::StatusOr<std::unique_ptr<BorrowedSegments>> Borrow(LoanHandle loan,
                                                           absl::Span<const SegmentAddress> addresses) override;

  // Of this side: segments that were not freed, loans that have not come back.
  size_t segments() const;
  size_t loans() const;
  // Both, as text.
  std::string usage() const;

 private:
  struct Side;
  class Content;
  class Stored;
  class Borrowed;

  FakeStore(std::shared_ptr<Side> own, std::shared_ptr<Side> peer);

  const std::shared_ptr<Side> own_;
  const std::shared_ptr<Side> peer_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_FAKE_STORE_H_
