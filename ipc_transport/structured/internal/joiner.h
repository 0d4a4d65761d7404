// Joins the fragments of a message that was longer than the pipe's records.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_JOINER_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_JOINER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/record.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One message at a time; memory grows as its bytes arrive, whatever size was announced. One thread.
class Joiner {
 public:
  // The first allocation for a message, if it is not smaller.
  static constexpr size_t kFirstBytes = size_t{64} << 10;

  explicit Joiner(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // True: the message is complete, `Take` it. A first fragment of another message drops one that is not: its sender
  // gave it up.
  // DATA_LOSS: it does not follow what came before. RESOURCE_EXHAUSTED: larger than this side takes, or no memory; what
  // follows of this message will be dropped.
  absl::StatusOr<bool> Add(const FragmentRecord& fragment);

  // RESOURCE_EXHAUSTED: a message of `bytes` is larger than this side takes.
  absl::Status CheckSize(uint64_t bytes) const;

  // Of the complete message; its size is `total`.
  HeapBytes Take();
  size_t total() const { return total_; }

  // Drops what is not complete.
  void Abandon() {
    if (id_ != 0) Clear();
  }

 private:
  void Clear();
  absl::Status MakeRoom(size_t bytes);

  const uint64_t max_bytes_;
  uint64_t id_ = 0;  // 0: none.
  bool is_dropping_ = false;
  size_t total_ = 0;
  size_t received_ = 0;
  HeapBytes bytes_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_JOINER_H_
