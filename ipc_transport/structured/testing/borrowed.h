// Segments as a store hands them out, without a store.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_BORROWED_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_BORROWED_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Counts how many are out. One thread.
class Borrowed final : public BorrowedSegments {
 public:
  explicit Borrowed(std::vector<absl::Span<const std::byte>> segments) : segments_(std::move(segments)) { ++alive; }
  ~Borrowed() override { --alive; }
  absl::Span<const absl::Span<const std::byte>> segments() const override { return segments_; }

  static inline int alive = 0;

 private:
  const std::vector<absl::Span<const std::byte>> segments_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_BORROWED_H_
