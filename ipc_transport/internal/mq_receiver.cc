#include "ipc_transport/internal/mq_receiver.h"

#include <mqueue.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
MqReceiver::MqReceiver(Fd queue, const MqShape& shape, size_t max_payload, std::shared_ptr<Link> link)
    : queue_(std::move(queue)),
      shape_(shape),
      max_payload_(max_payload),
      link_(std::move(link)),
      message_(std::make_unique_for_overwrite<std::byte[]>(shape.message_bytes)) {}

absl::StatusOr<std::optional<absl::Span<const std::byte>>> MqReceiver::Take() {
  // The peer may switch O_NONBLOCK, which both descriptors share; with a time that has passed it makes no difference.
  const timespec at_once = {};
  ssize_t bytes;
  do {
    bytes = os::MqTimedReceive(queue_.get(), message_.get(), shape_.message_bytes, nullptr, &at_once);
  } while (bytes < 0 && errno == EINTR);
  if (bytes >= 0) return absl::MakeConstSpan(message_.get(), bytes);
  if (errno == ETIMEDOUT || errno == EAGAIN) return std::nullopt;
  return FromErrno(errno, "receive from a message queue");
}

absl::StatusOr<std::optional<size_t>> MqReceiver::TryReceive(absl::Span<std::byte> buffer,
                                                             absl::Span<std::byte> overflow,
                                                             std::vector<Fd>* descriptors) {
  SLUICE_ASSIGN_OR_RETURN(const auto message, Take());
  if (!message.has_value()) return std::nullopt;
  const absl::StatusOr<MqRecordHeader> header = ParseMqRecord(*message, next_record_, max_payload_);
  if (!header.ok()) {
    link_->End(header.status());
    return header.status();
  }
  if (header->type == MqRecordType::kFinish) return PeerFinished();
  if (header->descriptors > 0) {
    SLUICE_ASSIGN_OR_RETURN(std::vector<Fd> own,
                            link_->TakeDescriptors(kMqLinkChannel, next_record_, header->descriptors));
    std::move(own.begin(), own.end(), std::back_inserter(*descriptors));
  }
  ++next_record_;
  const absl::Span<const std::byte> payload = message->subspan(sizeof(MqRecordHeader));
  const size_t direct = std::min(buffer.size(), payload.size());
  std::copy_n(payload.begin(), direct, buffer.begin());
  std::copy(payload.begin() + direct, payload.end(), overflow.begin());
  return payload.size();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
