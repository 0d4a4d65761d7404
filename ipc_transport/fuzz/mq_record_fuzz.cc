// The reader of a queue pipe whose peer puts records of its own making into the queue.

#include <sys/eventfd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/internal/mq_record_stream.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"
#include "ipc_util/testing/socket_pair.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::ipc::internal::MqRecordHeader;
using ::ipc::internal::MqRecordReader;
using ::ipc::internal::MqRecordType;

constexpr size_t kMaxPayload = 64;
constexpr uint32_t kChannel = 0;

// Delivers `record` into a buffer and an overflow that are exactly large enough; true: the reader goes on.
bool Deliver(MqRecordReader& reader, const std::vector<std::byte>& record, size_t buffer_bytes) {
  std::vector<std::byte> buffer(std::min(buffer_bytes, kMaxPayload));
  std::vector<std::byte> overflow(kMaxPayload - buffer.size());
  std::vector<Fd> descriptors;
  const absl::StatusOr<size_t> bytes =
      reader.Deliver(record, absl::MakeSpan(buffer), absl::MakeSpan(overflow), &descriptors);
  if (!bytes.ok()) {
    FuzzCheck(absl::IsDataLoss(bytes.status()) || absl::IsFailedPrecondition(bytes.status()) ||
              absl::IsOutOfRange(bytes.status()));
    FuzzCheck(descriptors.empty());
    return false;
  }
  // What passes is a header of this version and nothing but its payload.
  FuzzCheck(*bytes <= kMaxPayload && record.size() == sizeof(MqRecordHeader) + *bytes);
  const size_t direct = std::min(*bytes, buffer.size());
  FuzzCheck(std::equal(buffer.begin(), buffer.begin() + direct, record.begin() + sizeof(MqRecordHeader)));
  FuzzCheck(std::equal(record.begin() + sizeof(MqRecordHeader) + direct, record.end(), overflow.begin()));
  return true;
}

void FuzzMqRecord(const uint8_t* data, size_t size) {
  static const Fd* const descriptor = new Fd(eventfd(0, EFD_CLOEXEC));
  FuzzInput input(data, size);
  auto [socket, peer_socket] = MakeSocketPair();
  const std::shared_ptr<Link> link = Link::Create(std::move(socket), PidFd()).value();
  const std::shared_ptr<Link> peer = Link::Create(std::move(peer_socket), PidFd()).value();
  MqRecordReader reader(link, kMaxPayload);
  uint64_t next = 0;
  for (bool goes_on = true; goes_on && !input.empty();) {
    std::vector<std::byte> record;
    if (input.Byte() % 4 == 0) {
      const absl::Span<const uint8_t> bytes = input.Bytes(input.Byte());
      for (const uint8_t byte : bytes) record.push_back(std::byte{byte});
    } else {
      // An honest one but for what the input chooses.
      MqRecordHeader header = {.record = next};
      const uint8_t choices = input.Byte();
      header.bytes = input.Byte() % 80;
      record.resize(sizeof(header) + header.bytes, std::byte{choices});
      if ((choices & 1) != 0) header.descriptors = input.Byte() % 20;
      if ((choices & 2) != 0) header.record += input.Byte();
      if ((choices & 4) != 0) header.bytes = input.Number<uint32_t>();
      if ((choices & 8) != 0) header.type = static_cast<MqRecordType>(input.Byte());
      if ((choices & 16) != 0) header.version = input.Byte();
      if ((choices & 32) != 0) header.reserved = input.Byte();
      if ((choices & 64) != 0) record.resize(input.Byte());
      std::memcpy(record.data(), &header, std::min(record.size(), sizeof(header)));
      const size_t travelling = (choices & 128) != 0 ? input.Byte() % 17 : header.descriptors;
      if (travelling > 0 && travelling <= 16) {
        peer->SendDescriptors(kChannel, next, std::vector<FdView>(travelling, descriptor->view())).IgnoreError();
      }
    }
    goes_on = Deliver(reader, record, input.Byte());
    next += goes_on;
  }
}

}  // namespace
}  // namespace ipc::testing

SLUICE_FUZZ_TARGET(::ipc::testing::FuzzMqRecord)
