#include "ipc_transport/internal/mq_record_stream.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "ipc_transport/internal/message_checks.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Of the link: it serves this pipe alone.
constexpr uint32_t kChannel = 0;

}  // namespace

MqRecordWriter::MqRecordWriter(std::shared_ptr<Link> link, size_t record_bytes)
    : link_(std::move(link)), record_(std::make_unique_for_overwrite<std::byte[]>(record_bytes)) {}

absl::StatusOr<bool> MqRecordWriter::SendDescriptors(absl::Span<const FdView> descriptors) {
  if (descriptors.empty()) return true;
  return link_->SendDescriptors(kChannel, next_, descriptors);
}

Blob MqRecordWriter::Assemble(absl::Span<const Blob> parts, size_t bytes, size_t descriptors) {
  return Assemble({.type = MqRecordType::kMessage,
                   .descriptors = static_cast<uint8_t>(descriptors),
                   .bytes = static_cast<uint32_t>(bytes)},
                  parts);
}

Blob MqRecordWriter::AssembleFinish() { return Assemble({.type = MqRecordType::kFinish}, {}); }

Blob MqRecordWriter::Assemble(MqRecordHeader header, absl::Span<const Blob> parts) {
  header.record = next_++;
  std::memcpy(record_.get(), &header, sizeof(header));
  std::byte* end = record_.get() + sizeof(header);
  for (const Blob& part : parts) end = std::copy(part.begin(), part.end(), end);
  return Blob(record_.get(), end - record_.get());
}

MqRecordReader::MqRecordReader(std::shared_ptr<Link> link, size_t max_payload)
    : link_(std::move(link)), max_payload_(max_payload) {}

absl::StatusOr<size_t> MqRecordReader::Deliver(Blob record, absl::Span<std::byte> buffer,
                                               absl::Span<std::byte> overflow, std::vector<Fd>* descriptors) {
  const absl::StatusOr<MqRecordHeader> header = ParseMqRecord(record, next_, max_payload_);
  if (!header.ok()) {
    link_->End(header.status());
    return header.status();
  }
  if (header->type == MqRecordType::kFinish) return PeerFinished();
  if (header->descriptors > 0) {
    SLUICE_ASSIGN_OR_RETURN(std::vector<Fd> own, link_->TakeDescriptors(kChannel, next_, header->descriptors));
    std::move(own.begin(), own.end(), std::back_inserter(*descriptors));
  }
  ++next_;
  const Blob payload = record.subspan(sizeof(MqRecordHeader));
  const size_t direct = std::min(buffer.size(), payload.size());
  std::copy_n(payload.begin(), direct, buffer.begin());
  std::copy(payload.begin() + direct, payload.end(), overflow.begin());
  return payload.size();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
