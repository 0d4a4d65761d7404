#include "ipc_transport/internal/mq_receiver.h"

#include <mqueue.h>

#include <cerrno>
#include <utility>

#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

MqReceiver::MqReceiver(Fd queue, const MqShape& shape, size_t max_payload, std::shared_ptr<Link> link)
    : queue_(std::move(queue)),
      shape_(shape),
      record_(std::make_unique_for_overwrite<std::byte[]>(shape.message_bytes)),
      records_(std::move(link), max_payload) {}

absl::StatusOr<std::optional<size_t>> MqReceiver::TryReceive(absl::Span<std::byte> buffer,
                                                             absl::Span<std::byte> overflow,
                                                             std::vector<Fd>* descriptors) {
  // The peer may switch O_NONBLOCK, which both descriptors share; with a time that has passed it makes no difference.
  const timespec at_once = {};
  ssize_t bytes;
  do {
    bytes = os::MqTimedReceive(queue_.get(), record_.get(), shape_.message_bytes, nullptr, &at_once);
  } while (bytes < 0 && errno == EINTR);
  if (bytes >= 0) return records_.Deliver(absl::MakeConstSpan(record_.get(), bytes), buffer, overflow, descriptors);
  if (errno == ETIMEDOUT || errno == EAGAIN) return std::nullopt;
  return FromErrno(errno, "receive from a message queue");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
