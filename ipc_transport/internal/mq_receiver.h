// The receiving side of a message queue.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECEIVER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECEIVER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/internal/mq_record_stream.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The only reader of the peer's queue, whose every message is checked. One thread.
class MqReceiver {
 public:
  // `queue` is of `shape`, and a payload has at most `max_payload` bytes.
  MqReceiver(Fd queue, const MqShape& shape, size_t max_payload, std::shared_ptr<Link> link);

  // The next message, without waiting, as of `MqRecordReader::Deliver`. nullopt: there is none.
  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                   std::vector<Fd>* descriptors);

  FdView queue() const { return queue_; }

 private:
  const Fd queue_;
  const MqShape shape_;
  // Of `shape_.message_bytes`: the kernel gives a message into no less.
  const std::unique_ptr<std::byte[]> record_;
  MqRecordReader records_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECEIVER_H_
