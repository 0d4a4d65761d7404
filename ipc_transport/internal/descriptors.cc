#include "ipc_transport/internal/descriptors.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A peer may send as many as the kernel lets it; with room for all of them none is lost unseen.
constexpr size_t kKernelMaxDescriptors = 253;
// For what whoever shares the socket may have the kernel add: credentials, a security label, time stamps, a pidfd.
constexpr size_t kOtherControlBytes = 1024;

#ifndef SCM_PIDFD
#define SCM_PIDFD 4  // From Linux 6.5 on.
#endif

// Appends the descriptors of `message` to `*descriptors`. Those that the kernel added, which nobody sent, are closed.
void TakeDescriptors(const msghdr& message, std::vector<Fd>* descriptors) {
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type != SCM_RIGHTS && header->cmsg_type != SCM_PIDFD) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int number;
      std::memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      Fd descriptor(number);
      if (header->cmsg_type == SCM_RIGHTS) descriptors->push_back(std::move(descriptor));
    }
  }
}

// `control` has room for them.
void AttachDescriptors(absl::Span<const FdView> descriptors, char* control, msghdr* message) {
  if (descriptors.empty()) return;
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* const header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  for (size_t i = 0; i < descriptors.size(); ++i) {
    const int number = descriptors[i].get();
    std::memcpy(CMSG_DATA(header) + i * sizeof(int), &number, sizeof(int));
  }
}

absl::Status SendError(int error) {
  if (error == EBADF) return absl::InvalidArgumentError("a descriptor to send is not open");
  if (error == ENOTCONN) return absl::InvalidArgumentError("the socket is not connected");
  return FromErrno(error, "send to the peer");
}

absl::Status NoRoomForDescriptors() {
  return absl::ResourceExhaustedError(
      "no room for the peer's descriptors; raise the limit of open files, RLIMIT_NOFILE (ulimit -n)");
}

}  // namespace

absl::StatusOr<bool> SendPacket(FdView socket, absl::Span<const Blob> parts, absl::Span<const FdView> descriptors) {
  absl::InlinedVector<iovec, 8> vectors;
  for (const Blob& part : parts) {
    vectors.push_back({.iov_base = const_cast<std::byte*>(part.data()), .iov_len = part.size()});
  }
  msghdr message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = vectors.size();
  alignas(cmsghdr) char control[CMSG_SPACE(kKernelMaxDescriptors * sizeof(int))];
  if (descriptors.size() > kKernelMaxDescriptors) {
    return absl::InvalidArgumentError(
        absl::StrCat(descriptors.size(), " descriptors in one packet exceed the limit of ", kKernelMaxDescriptors));
  }
  AttachDescriptors(descriptors, control, &message);
  while (os::SendMsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ETOOMANYREFS) return false;
    return SendError(errno);
  }
  return true;
}

absl::StatusOr<bool> SendPacketBy(FdView socket, absl::Span<const Blob> parts, absl::Span<const FdView> descriptors,
                                  Deadline deadline) {
  while (true) {
    const absl::StatusOr<bool> sent = SendPacket(socket, parts, descriptors);
    if (!sent.ok() || *sent || deadline.HasPassed()) return sent;
    timespec storage;
    os::Poll(nullptr, 0, Earlier(deadline, kInFlightTick).ToPollTimeout(&storage));
  }
}

absl::StatusOr<ReceivedPacket> ReceivePacket(FdView socket, absl::Span<iovec> parts, std::vector<Fd>* descriptors,
                                             absl::Status* lost_descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(kKernelMaxDescriptors * sizeof(int)) + kOtherControlBytes];
  msghdr message = {};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t bytes;
  do {
    bytes = os::RecvMsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // ECONNRESET: the peer closed with packets of ours unread. It comes once, before the packets that the peer left.
  } while (bytes < 0 && (errno == EINTR || errno == ECONNRESET));
  if (bytes < 0) {
    if (errno == EAGAIN) return ReceivedPacket{};
    return FromErrno(errno, "receive from the peer");
  }
  std::vector<Fd> received;
  TakeDescriptors(message, &received);
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    if (lost_descriptors == nullptr) return NoRoomForDescriptors();
    *lost_descriptors = NoRoomForDescriptors();
    received.clear();
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) return absl::DataLossError("the peer's packet is longer than agreed");
  // Sluice never sends an empty packet: no bytes are the end.
  if (bytes == 0) return ReceivedPacket{.kind = ReceivedPacket::Kind::kEnd};
  for (Fd& descriptor : received) descriptors->push_back(std::move(descriptor));
  return ReceivedPacket{.kind = ReceivedPacket::Kind::kPacket, .bytes = static_cast<size_t>(bytes)};
}

absl::StatusOr<size_t> SendSome(FdView socket, absl::Span<const iovec> parts, absl::Span<const FdView> descriptors) {
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  if (descriptors.size() > kMaxDescriptors) {
    return absl::InvalidArgumentError(absl::StrCat(descriptors.size(), " descriptors exceed ", kMaxDescriptors));
  }
  AttachDescriptors(descriptors, control, &message);
  while (true) {
    const ssize_t sent = os::SendMsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<size_t>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ETOOMANYREFS) return size_t{0};
    return SendError(errno);
  }
}

absl::StatusOr<size_t> SendPackets(FdView socket, absl::Span<const absl::Span<iovec>> packets) {
  std::array<mmsghdr, kMaxBatch> messages = {};
  const size_t count = std::min(packets.size(), kMaxBatch);
  for (size_t i = 0; i < count; ++i) {
    messages[i].msg_hdr.msg_iov = packets[i].data();
    messages[i].msg_hdr.msg_iovlen = packets[i].size();
  }
  while (true) {
    const int sent =
        os::SendMMsg(socket.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<size_t>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return size_t{0};
    return SendError(errno);
  }
}

namespace {

// One descriptor more than allowed, so that too many are told from no room for them; and for what whoever shares the
// socket may have the kernel add.
constexpr size_t kSlotControlBytes = CMSG_SPACE((kMaxDescriptors + 1) * sizeof(int)) + 256;

void FillSlot(const msghdr& message, size_t bytes, PacketSlot& slot) {
  slot.packet = {.kind = bytes == 0 ? ReceivedPacket::Kind::kEnd : ReceivedPacket::Kind::kPacket, .bytes = bytes};
  slot.descriptors.clear();
  TakeDescriptors(message, &slot.descriptors);
  slot.status = absl::OkStatus();
  if (slot.descriptors.size() > kMaxDescriptors) {
    slot.status = absl::DataLossError("the peer sent more descriptors than agreed");
  } else if ((message.msg_flags & MSG_CTRUNC) != 0) {
    slot.status = NoRoomForDescriptors();
  } else if ((message.msg_flags & MSG_TRUNC) != 0) {
    slot.status = absl::DataLossError("the peer's packet is longer than agreed");
  }
  if (!slot.status.ok()) slot.descriptors.clear();
}

}  // namespace

absl::StatusOr<size_t> ReceivePackets(FdView socket, absl::Span<PacketSlot> slots) {
  alignas(cmsghdr) std::array<std::array<char, kSlotControlBytes>, kMaxBatch> controls;
  std::array<mmsghdr, kMaxBatch> messages = {};
  const size_t count = std::min(slots.size(), kMaxBatch);
  for (size_t i = 0; i < count; ++i) {
    messages[i].msg_hdr.msg_iov = slots[i].parts.data();
    messages[i].msg_hdr.msg_iovlen = slots[i].parts.size();
    messages[i].msg_hdr.msg_control = controls[i].data();
    messages[i].msg_hdr.msg_controllen = kSlotControlBytes;
  }
  int received;
  do {
    received =
        os::RecvMMsg(socket.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && (errno == EINTR || errno == ECONNRESET));  // As in `ReceivePacket`.
  if (received < 0) {
    if (errno == EAGAIN) return size_t{0};
    return FromErrno(errno, "receive from the peer");
  }
  for (int i = 0; i < received; ++i) FillSlot(messages[i].msg_hdr, messages[i].msg_len, slots[i]);
  return static_cast<size_t>(received);
}

absl::Status ReceiveSome(FdView socket, PacketSlot& slot) {
  alignas(cmsghdr) std::array<char, kSlotControlBytes> control;
  msghdr message = {};
  message.msg_iov = slot.parts.data();
  message.msg_iovlen = slot.parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t bytes;
  do {
    bytes = os::RecvMsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (bytes < 0 && (errno == EINTR || errno == ECONNRESET));  // As in `ReceivePacket`.
  if (bytes >= 0) {
    FillSlot(message, static_cast<size_t>(bytes), slot);
    return absl::OkStatus();
  }
  slot.packet = {};
  return errno == EAGAIN ? absl::OkStatus() : FromErrno(errno, "receive from the peer");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
