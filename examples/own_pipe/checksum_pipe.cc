#include "examples/own_pipe/checksum_pipe.h"

#include <algorithm>
#include <cstring>

namespace own_pipe {
namespace {

using ipc::Blob;
using ipc::Fd;
using ipc::FdView;

// FNV-1a of what was added.
class Checksum {
 public:
  void Add(Blob bytes) {
    for (const std::byte byte : bytes) value_ = (value_ ^ static_cast<uint32_t>(byte)) * 16777619;
  }
  uint32_t value() const { return value_; }

 private:
  uint32_t value_ = 2166136261;
};

}  // namespace

// [guide
absl::StatusOr<bool> ChecksumPipe::SendMessage(absl::Span<const Blob> parts, size_t,
                                               absl::Span<const FdView> descriptors) {
  Checksum checksum;
  for (const Blob& part : parts) checksum.Add(part);
  const uint32_t sum = checksum.value();
  std::vector<Blob> with_sum(parts.begin(), parts.end());
  with_sum.emplace_back(reinterpret_cast<const std::byte*>(&sum), sizeof(sum));
  return inner_->TrySendParts(with_sum, descriptors);
}

absl::StatusOr<std::optional<size_t>> ChecksumPipe::ReceiveMessage(absl::Span<std::byte> buffer,
                                                                   absl::Span<std::byte> overflow,
                                                                   std::vector<Fd>* descriptors) {
  const absl::StatusOr<std::optional<Blob>> peeked = inner_->TryPeek(descriptors);
  if (!peeked.ok()) return peeked.status();
  if (!peeked->has_value()) return std::nullopt;
  uint32_t sum;
  if ((*peeked)->size() < sizeof(sum)) return absl::DataLossError("the peer sent a message without a checksum");
  const size_t bytes = (*peeked)->size() - sizeof(sum);
  std::memcpy(&sum, (*peeked)->data() + bytes, sizeof(sum));
  // Copied first, then checked: in a ring the peer could change it in between.
  const size_t direct = std::min(bytes, buffer.size());
  std::copy_n((*peeked)->data(), direct, buffer.data());
  std::copy_n((*peeked)->data() + direct, bytes - direct, overflow.data());
  if (absl::Status released = inner_->Release(); !released.ok()) return released;
  Checksum checksum;
  checksum.Add(buffer.subspan(0, direct));
  checksum.Add(overflow.subspan(0, bytes - direct));
  if (checksum.value() != sum) return absl::DataLossError("a message has a wrong checksum");
  return bytes;
}

absl::Status ChecksumPipe::WaitForRoom(ipc::Deadline deadline) {
  inner_->set_wait_mode(wait_mode());
  return inner_->WaitToSend(deadline);
}

absl::Status ChecksumPipe::WaitForMessage(ipc::Deadline deadline) {
  inner_->set_wait_mode(wait_mode());
  return inner_->WaitToReceive(deadline);
}
// guide]

}  // namespace own_pipe
