// Messages of a pipe as records of a queue: numbered, with their descriptors on the link.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECORD_STREAM_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECORD_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Makes the records of one direction. One thread.
class MqRecordWriter {
 public:
  // For records of up to `record_bytes`, header included.
  MqRecordWriter(std::shared_ptr<Link> link, size_t record_bytes);

  // Sends the descriptors of the next record, if any. False: no room in the link now. INVALID_ARGUMENT: one is not
  // open.
  absl::StatusOr<bool> SendDescriptors(absl::Span<const FdView> descriptors);

  // The next record, in one piece, valid until the next call.
  Blob Assemble(absl::Span<const Blob> parts, size_t bytes, size_t descriptors);
  Blob AssembleFinish();

 private:
  Blob Assemble(MqRecordHeader header, absl::Span<const Blob> parts);

  std::shared_ptr<Link> link_;
  std::unique_ptr<std::byte[]> record_;
  uint64_t next_ = 0;
};

// Checks and takes apart the records of the peer. One thread.
class MqRecordReader {
 public:
  MqRecordReader(std::shared_ptr<Link> link, size_t max_payload);

  // The payload of `record`, the next one: its first bytes into `buffer`, the rest into `overflow`, its descriptors to
  // `*descriptors`. Returns its size. OUT_OF_RANGE: the peer has finished. Another error ends the link: DATA_LOSS,
  // FAILED_PRECONDITION: as `ParseMqRecord`; RESOURCE_EXHAUSTED: no room for the descriptors.
  absl::StatusOr<size_t> Deliver(Blob record, absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                 std::vector<Fd>* descriptors);

 private:
  const std::shared_ptr<Link> link_;
  const size_t max_payload_;
  uint64_t next_ = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_RECORD_STREAM_H_
