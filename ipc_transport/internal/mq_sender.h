// The sending side of a message queue: what room there is, and when it comes.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_SENDER_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_SENDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/internal/mq_record_stream.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The only writer of its queue. One thread. The last place of the queue is kept for `Finish`.
class MqSender {
 public:
  // `queue` is of `shape`. RESOURCE_EXHAUSTED: no descriptor (raise RLIMIT_NOFILE).
  static absl::StatusOr<MqSender> Create(Fd queue, const MqShape& shape, std::shared_ptr<Link> link);

  // Sends a message of `bytes` bytes, which fit; false: no room in the queue, or in the link for the descriptors.
  // Never waits. INVALID_ARGUMENT: a descriptor that is not open; nothing was sent. An error of the queue ends the
  // link.
  absl::StatusOr<bool> TrySend(absl::Span<const Blob> parts, size_t bytes, absl::Span<const FdView> descriptors);

  // Tells the peer that nothing follows. Never waits, and finds room always.
  absl::Status Finish();

  // Whether the queue has room for a message.
  bool HasRoom();

  // Whether it was the link that had no room for what was refused last.
  bool link_was_full() const { return link_was_full_; }

  // Readable after the peer took a message, or when the link has something in its socket or its peer has gone. In order
  // to wait: `Link::Pump`, `Quiet`, look whether there is room.
  FdView events() const { return events_; }
  void Quiet();
  // Readable until `Quiet`, if there is room.
  void Signal();

 private:
  MqSender(Fd queue, const MqShape& shape, std::shared_ptr<Link> link, Fd events);

  // Puts a record, for which there is room, into the queue. An error ends the link.
  absl::Status Put(Blob record);

  Fd queue_;
  MqShape shape_;
  std::shared_ptr<Link> link_;
  Fd events_;  // An epoll descriptor.
  MqRecordWriter records_;
  size_t known_room_ = 0;  // At least so much, as only this side fills the queue.
  bool link_was_full_ = false;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_SENDER_H_
