#include "perf_demo/message_stream.h"

#include <kj/exception.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace cache_demo {
namespace {

constexpr int kSocketBufferBytes = 4 << 20;
constexpr size_t kFirstCapacityWords = 8192;
constexpr size_t kMaxPieces = 1024;  // IOV_MAX.
// As long as a ring spins in its adaptive mode.
constexpr absl::Duration kAdaptiveSpin = absl::Microseconds(50);
constexpr capnp::ReaderOptions kReaderOptions = {.traversalLimitInWords = std::numeric_limits<uint64_t>::max()};

kj::ArrayPtr<const capnp::word> AsWords(const uint64_t* words, size_t count) {
  return kj::arrayPtr(reinterpret_cast<const capnp::word*>(words), count);
}

ipc::Deadline SpinLimit(ipc::WaitMode wait, ipc::Deadline deadline) {
  switch (wait) {
    case ipc::WaitMode::kSpin:
      return deadline;
    case ipc::WaitMode::kAdaptive:
      return Earlier(deadline, ipc::Deadline(kAdaptiveSpin));
    case ipc::WaitMode::kSleep:
      break;
  }
  return ipc::Deadline::Passed();
}

void EnlargeBuffer(ipc::FdView socket, int option, int privileged_option) {
  const int bytes = kSocketBufferBytes;
  if (setsockopt(socket.get(), SOL_SOCKET, privileged_option, &bytes, sizeof(bytes)) == 0) return;
  setsockopt(socket.get(), SOL_SOCKET, option, &bytes, sizeof(bytes));
}

// Takes `bytes` that were sent off the front of `pieces`.
void Advance(absl::Span<iovec>& pieces, size_t bytes) {
  while (bytes > 0) {
    iovec& piece = pieces.front();
    const size_t taken = std::min(bytes, piece.iov_len);
    piece.iov_base = static_cast<char*>(piece.iov_base) + taken;
    piece.iov_len -= taken;
    bytes -= taken;
    if (piece.iov_len == 0) pieces.remove_prefix(1);
  }
}

// The table of Cap'n Proto's stream format: the number of segments less one, their sizes, filled up to a word.
std::vector<uint32_t> SegmentTable(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  std::vector<uint32_t> table = {static_cast<uint32_t>(segments.size() - 1)};
  for (const auto& segment : segments) table.push_back(static_cast<uint32_t>(segment.size()));
  if (table.size() % 2 != 0) table.push_back(0);
  return table;
}

}  // namespace

absl::StatusOr<std::pair<ipc::Fd, ipc::Fd>> MessageStream::MakeSockets() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ipc::FromErrno(errno, "make two connected sockets");
  }
  std::pair<ipc::Fd, ipc::Fd> ends(sockets[0], sockets[1]);
  for (const ipc::FdView end : {ends.first.view(), ends.second.view()}) {
    EnlargeBuffer(end, SO_SNDBUF, SO_SNDBUFFORCE);
    EnlargeBuffer(end, SO_RCVBUF, SO_RCVBUFFORCE);
  }
  return ends;
}

template <typename Attempt>
absl::StatusOr<size_t> MessageStream::Repeat(Attempt attempt, short event, ipc::Deadline deadline) const {
  const ipc::Deadline spin_limit = SpinLimit(wait_, deadline);
  while (true) {
    const ssize_t result = attempt();
    if (result >= 0) return static_cast<size_t>(result);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return ipc::FromErrno(errno, "talk over the stream socket");
    if (!spin_limit.HasPassed()) continue;
    pollfd poll_fd = {.fd = socket_.get(), .events = event, .revents = 0};
    timespec storage;
    if (ppoll(&poll_fd, 1, deadline.ToPollTimeout(&storage), nullptr) == 0) {
      return absl::DeadlineExceededError("the peer of the stream socket did not do its part in time");
    }
  }
}

absl::Status MessageStream::Send(capnp::MessageBuilder& message, ipc::Deadline deadline) {
  const auto segments = message.getSegmentsForOutput();
  std::vector<uint32_t> table = SegmentTable(segments);
  std::vector<iovec> all_pieces = {{.iov_base = table.data(), .iov_len = table.size() * sizeof(table[0])}};
  for (const auto& segment : segments) {
    if (segment.size() == 0) continue;
    all_pieces.push_back({.iov_base = const_cast<capnp::word*>(segment.begin()),  // sendmsg(2) does not write.
                          .iov_len = segment.size() * sizeof(capnp::word)});
  }
  absl::Span<iovec> pieces = absl::MakeSpan(all_pieces);
  while (!pieces.empty()) {
    msghdr header = {};
    header.msg_iov = pieces.data();
    header.msg_iovlen = std::min(pieces.size(), kMaxPieces);
    const auto send = [&] { return sendmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL); };
    SLUICE_ASSIGN_OR_RETURN(const size_t sent, Repeat(send, POLLOUT, deadline));
    Advance(pieces, sent);
  }
  return absl::OkStatus();
}

absl::Status MessageStream::Reserve(size_t words, size_t filled_bytes) {
  if (words <= capacity_words_) return absl::OkStatus();
  words = std::max(words, kFirstCapacityWords);
  std::unique_ptr<uint64_t[]> larger(new (std::nothrow) uint64_t[words]);
  if (larger == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for a message of ", words * sizeof(uint64_t), " bytes; ask for a smaller file"));
  }
  if (filled_bytes > 0) std::memcpy(larger.get(), buffer_.get(), filled_bytes);
  buffer_ = std::move(larger);
  capacity_words_ = words;
  return absl::OkStatus();
}

absl::StatusOr<capnp::MessageReader*> MessageStream::Receive(ipc::Deadline deadline) {
  reader_.reset();
  size_t filled = 0;
  size_t wanted_words = 1;
  while (filled < wanted_words * sizeof(capnp::word)) {
    SLUICE_RETURN_IF_ERROR(Reserve(wanted_words, filled));
    char* const free = reinterpret_cast<char*>(buffer_.get()) + filled;
    const size_t free_bytes = capacity_words_ * sizeof(uint64_t) - filled;
    const auto receive = [&] { return recv(socket_.get(), free, free_bytes, MSG_DONTWAIT); };
    SLUICE_ASSIGN_OR_RETURN(const size_t received, Repeat(receive, POLLIN, deadline));
    if (received == 0) {
      return filled == 0 ? absl::OutOfRangeError("the peer of the stream socket has closed it")
                         : absl::DataLossError("the peer of the stream socket is gone in the middle of a message");
    }
    filled += received;
    wanted_words =
        std::max<size_t>(1, capnp::expectedSizeInWordsFromPrefix(AsWords(buffer_.get(), filled / sizeof(capnp::word))));
  }
  if (filled != wanted_words * sizeof(capnp::word)) {
    return absl::DataLossError("the peer of the stream socket sent more than one message");
  }
  try {
    reader_.emplace(AsWords(buffer_.get(), wanted_words), kReaderOptions);
  } catch (const kj::Exception& error) {
    return absl::DataLossError(
        absl::StrCat("the peer of the stream socket sent no message: ", error.getDescription().cStr()));
  }
  return &*reader_;
}

}  // namespace cache_demo
