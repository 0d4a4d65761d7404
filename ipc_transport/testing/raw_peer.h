// A peer of a socket pipe that says exactly what a test wants it to say.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_RAW_PEER_H_
#define SLUICE_IPC_TRANSPORT_TESTING_RAW_PEER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Owns its end of a socket pair. Failures end the program.
class RawPeer {
 public:
  // `type`: SOCK_SEQPACKET or SOCK_STREAM.
  explicit RawPeer(int type);

  // The other end; once.
  Fd TakeOther() { return std::move(other_); }

  void SendHello(const ipc::internal::SocketHello& hello = {.max_message_bytes = 64 * 1024});
  // One packet, or so many bytes of the stream, with `descriptors` descriptors; a pipe that has ended does
  // not hear it.
  void Send(const std::vector<uint8_t>& bytes, size_t descriptors = 0);
  // What has come: one packet, or all bytes of the stream up to `most`. Empty: nothing, or the end.
  std::vector<uint8_t> Receive(size_t most = 1 << 20);

  void Close() { socket_.Close(); }
  FdView socket() const { return socket_; }

 private:
  Fd socket_;
  Fd other_;
  Fd file_;  // What it sends.
};

// A pipe, and the raw peer at its other end, after an honest handshake.
struct PipeWithRawPeer {
  std::unique_ptr<SocketPipe> pipe;
  RawPeer peer;
};
PipeWithRawPeer MakePipeWithRawPeer(int type, const SocketPipeOptions& options = {});

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_RAW_PEER_H_
