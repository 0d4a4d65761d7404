#include "ipc_transport/fuzz/raw_packets.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// What the second byte of a packet's control data may ask for.
constexpr uint8_t kTwoHeaders = 1;   // The descriptors come in two.
constexpr uint8_t kCredentials = 2;  // So do the sender's credentials.

// One of each kind, for the whole run.
const std::vector<int>& KindsOfDescriptors() {
  static const auto* const kinds = [] {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) std::abort();
    auto* const made = new std::vector<int>{
        pipe_ends[0],
        pipe_ends[1],
        eventfd(0, EFD_CLOEXEC),
        memfd_create("fuzz", MFD_CLOEXEC),
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
        open("/dev/null", O_RDWR | O_CLOEXEC),
        open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
    };
    return made;
  }();
  return *kinds;
}

void AddHeader(msghdr& message, int type, const void* data, size_t bytes) {
  auto* const header = reinterpret_cast<cmsghdr*>(static_cast<char*>(message.msg_control) + message.msg_controllen);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(bytes);
  if (bytes != 0) std::memcpy(CMSG_DATA(header), data, bytes);
  message.msg_controllen += CMSG_SPACE(bytes);
}

}  // namespace

std::optional<size_t> RawPackets::Send(absl::Span<const uint8_t> bytes, FuzzInput& input) {
  const uint8_t options = input.Byte();
  size_t count = input.Byte();
  if (sent_descriptors_ + count > kMaxDescriptors) count = 0;
  std::vector<int> descriptors;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t kind = input.Byte();
    const std::vector<int>& kinds = KindsOfDescriptors();
    // The last kind is the socket itself.
    descriptors.push_back(kind % (kinds.size() + 1) == kinds.size() ? socket_.get() : kinds[kind % (kinds.size() + 1)]);
  }

  alignas(cmsghdr) char control[2048] = {};
  iovec part = {.iov_base = const_cast<uint8_t*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  const size_t first = (options & kTwoHeaders) != 0 ? count / 2 : 0;
  if (first != 0) AddHeader(message, SCM_RIGHTS, descriptors.data(), first * sizeof(int));
  if (count != first) AddHeader(message, SCM_RIGHTS, descriptors.data() + first, (count - first) * sizeof(int));
  if ((options & kCredentials) != 0) {
    const ucred credentials = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
    AddHeader(message, SCM_CREDENTIALS, &credentials, sizeof(credentials));
  }
  if (sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return std::nullopt;
  sent_descriptors_ += count;
  return count;
}

size_t OpenDescriptors() {
  KindsOfDescriptors();
  std::array<pollfd, 1024> all;
  for (size_t i = 0; i < all.size(); ++i) all[i] = {.fd = static_cast<int>(i), .events = 0, .revents = 0};
  if (poll(all.data(), all.size(), 0) < 0) std::abort();
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [](const pollfd& it) { return (it.revents & POLLNVAL) == 0; }));
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
