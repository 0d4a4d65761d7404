// The baseline: plain Cap'n Proto messages over a Unix stream socket, in Cap'n Proto's own stream format.

#ifndef SLUICE_PERF_DEMO_MESSAGE_STREAM_H_
#define SLUICE_PERF_DEMO_MESSAGE_STREAM_H_

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace cache_demo {

// One end of a conversation in which either side sends one message and then waits for the other's. All segments go out
// in one system call where the socket has room, and come into one buffer, which is kept for the next message.
// Stays where it is made; one thread.
class MessageStream {
 public:
  // Two connected sockets with buffers of 4 MB each, or as much of it as net.core.wmem_max allows.
  static absl::StatusOr<std::pair<ipc::Fd, ipc::Fd>> MakeSockets();

  // A connected SOCK_STREAM socket. `wait`: how calls pass their time.
  MessageStream(ipc::Fd socket, ipc::WaitMode wait) : socket_(std::move(socket)), wait_(wait) {}
  // A reader's destructor may throw by its declaration; this one does not.
  ~MessageStream() noexcept {}

  // UNAVAILABLE: the peer is gone. DEADLINE_EXCEEDED: the stream is of no more use.
  absl::Status Send(capnp::MessageBuilder& message, ipc::Deadline deadline);

  // The next message, valid until the next call. Errors as `Send`; OUT_OF_RANGE: the peer has closed its end.
  // DATA_LOSS: what came is no single message. RESOURCE_EXHAUSTED: no memory for it.
  absl::StatusOr<capnp::MessageReader*> Receive(ipc::Deadline deadline);

 private:
  // Repeats `attempt`, a system call that does not wait, until it does something; its result.
  template <typename Attempt>
  absl::StatusOr<size_t> Repeat(Attempt attempt, short event, ipc::Deadline deadline) const;
  absl::Status Reserve(size_t words, size_t filled_bytes);

  ipc::Fd socket_;
  ipc::WaitMode wait_;
  // Not cleared, since it is all written before it is read.
  std::unique_ptr<uint64_t[]> buffer_;
  size_t capacity_words_ = 0;
  std::optional<capnp::FlatArrayMessageReader> reader_;
};

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_MESSAGE_STREAM_H_
