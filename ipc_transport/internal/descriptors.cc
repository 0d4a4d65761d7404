#include "ipc_transport/internal/descriptors.h"

#include <sys/socket.h>

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
  if (!descriptors.empty()) {
    if (descriptors.size() > kKernelMaxDescriptors) {
      return absl::InvalidArgumentError(
          absl::StrCat(descriptors.size(), " descriptors in one packet exceed the limit of ", kKernelMaxDescriptors));
    }
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    for (size_t i = 0; i < descriptors.size(); ++i) {
      const int number = descriptors[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &number, sizeof(int));
    }
  }
  while (os::SendMsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ETOOMANYREFS) return false;
    if (errno == EBADF) return absl::InvalidArgumentError("a descriptor to send is not open");
    if (errno == ENOTCONN) return absl::InvalidArgumentError("the socket is not connected");
    return FromErrno(errno, "send to the peer");
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

absl::StatusOr<ReceivedPacket> ReceivePacket(FdView socket, absl::Span<iovec> parts, std::vector<Fd>* descriptors) {
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
    return absl::ResourceExhaustedError(
        "no room for the peer's descriptors; raise the limit of open files, RLIMIT_NOFILE (ulimit -n)");
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) return absl::DataLossError("the peer's packet is longer than agreed");
  // Sluice never sends an empty packet: no bytes are the end.
  if (bytes == 0) return ReceivedPacket{.kind = ReceivedPacket::Kind::kEnd};
  for (Fd& descriptor : received) descriptors->push_back(std::move(descriptor));
  return ReceivedPacket{.kind = ReceivedPacket::Kind::kPacket, .bytes = static_cast<size_t>(bytes)};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
