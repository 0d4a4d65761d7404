#include "ipc_transport/structured/internal/message_writer.h"

#include <cstddef>

#include "absl/base/optimization.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "ipc_transport/structured/internal/schema_encoder.h"
#include "ipc_transport/structured/internal/split.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// How long a call waits for room before it lets this side receive, too.
constexpr absl::Duration kIdleTick = absl::Milliseconds(2);

template <typename T>
Blob AsBlob(const T& value) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&value), sizeof(value));
}

template <typename T>
Blob AsBlob(absl::Span<const T> values) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T));
}

}  // namespace

absl::Status MessageWriter::OfferSchema(Deadline deadline) {
  if (ABSL_PREDICT_TRUE(schema_sent_)) return absl::OkStatus();
  const SchemaHeader header = {.version = 1,
                               .kind = static_cast<uint8_t>(RecordKind::kSchema),
                               .min_version = kRecordVersion,
                               .max_version = kRecordVersion,
                               .name_bytes = static_cast<uint32_t>(schema_.name.size()),
                               .type_id = schema_.type_id,
                               .layout_hash = schema_.layout_hash,
                               .credit = credit_};
  const Blob parts[] = {AsBlob(header), AsBlob(absl::MakeConstSpan(schema_.name))};
  SLUICE_RETURN_IF_ERROR(SendRecordOf(parts, {}, deadline));
  schema_sent_ = true;
  return absl::OkStatus();
}

absl::Status MessageWriter::Write(const OutgoingMessage& message, uint64_t id, const MessageRole& role,
                                  Deadline deadline) {
  const bool is_stored = message.store_of_segments() != nullptr;
  const MessageHeader header = {
      .version = kRecordVersion,
      .kind = static_cast<uint8_t>(RecordKind::kMessage),
      .flags = static_cast<uint8_t>(role.flags | (is_stored ? kStoredFlag : 0)),
      .descriptors = static_cast<uint8_t>(message.descriptors().size()),
      .inline_words = static_cast<uint16_t>(message.inline_segment().size() / sizeof(capnp::word)),
      .segments = static_cast<uint16_t>(is_stored ? message.addresses().size() : message.attached().size()),
      .id = id,
      .in_reply_to = role.in_reply_to};
  absl::InlinedVector<FdView, OutgoingMessage::kMaxDescriptors> descriptors;
  for (const Fd& fd : message.descriptors()) descriptors.push_back(fd);
  if (is_stored) return WriteStored(message, header, descriptors, deadline);
  if (ABSL_PREDICT_TRUE(message.attached().empty())) {
    const Blob parts[] = {AsBlob(header), message.inline_segment()};
    return WriteParts(parts, id, descriptors, deadline);
  }
  absl::InlinedVector<uint64_t, 16> words;
  for (const Blob& segment : message.attached()) words.push_back(segment.size() / sizeof(capnp::word));
  absl::InlinedVector<Blob, 16> parts = {AsBlob(header), AsBlob(absl::MakeConstSpan(words)), message.inline_segment()};
  parts.insert(parts.end(), message.attached().begin(), message.attached().end());
  return WriteParts(parts, id, descriptors, deadline);
}

absl::Status MessageWriter::WriteStored(const OutgoingMessage& message, const MessageHeader& header,
                                        absl::Span<const FdView> descriptors, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const LoanHandle loan, message.Lend());
  const Blob parts[] = {AsBlob(header), AsBlob(loan), AsBlob(message.addresses()), message.inline_segment()};
  os::Point("structured.lent");
  absl::Status status = WriteParts(parts, header.id, descriptors, deadline);
  if (!status.ok()) message.TakeBack(loan);
  return status;
}

absl::Status MessageWriter::WriteParts(absl::Span<const Blob> parts, uint64_t id, absl::Span<const FdView> descriptors,
                                       Deadline deadline) {
  size_t bytes = 0;
  for (const Blob& part : parts) bytes += part.size();
  if (ABSL_PREDICT_TRUE(bytes <= pipe_->max_message_bytes())) return SendRecordOf(parts, descriptors, deadline);
  return SendSplit(*pipe_, parts, id, descriptors,
                   [&](absl::Span<const Blob> record, absl::Span<const FdView> with_record) {
                     return SendRecordOf(record, with_record, deadline);
                   });
}

absl::Status MessageWriter::SendRecordOf(absl::Span<const Blob> parts, absl::Span<const FdView> descriptors,
                                         Deadline deadline) {
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const bool sent, pipe_->TrySendParts(parts, descriptors));
    if (ABSL_PREDICT_TRUE(sent)) return absl::OkStatus();
    const absl::Status status = pipe_->WaitToSend(Earlier(deadline, kIdleTick));
    if (!absl::IsDeadlineExceeded(status)) {
      SLUICE_RETURN_IF_ERROR(status);
    } else if (deadline.HasPassed()) {
      return status;
    } else {
      idle_();
    }
  }
}

absl::Status MessageWriter::WriteNodes(Deadline deadline) {
  if (nodes_.empty()) {
    SLUICE_ASSIGN_OR_RETURN(nodes_, EncodeSchema(schema_.schema));
  }
  const NodesHeader header = {.version = kRecordVersion,
                              .kind = static_cast<uint8_t>(RecordKind::kNodes),
                              .reserved = 0,
                              .total = static_cast<uint32_t>(nodes_.size())};
  while (nodes_sent_ < nodes_.size()) {
    const Blob piece =
        absl::MakeConstSpan(nodes_).subspan(nodes_sent_, pipe_->max_message_bytes() - sizeof(NodesHeader));
    const Blob parts[] = {AsBlob(header), piece};
    SLUICE_RETURN_IF_ERROR(SendRecordOf(parts, {}, deadline));
    nodes_sent_ += piece.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> MessageWriter::TryWriteControl(RecordKind kind, uint64_t value) {
  const ControlHeader header = {
      .version = kRecordVersion, .kind = static_cast<uint8_t>(kind), .reserved = {}, .value = value};
  return pipe_->TrySend(AsBlob(header));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
