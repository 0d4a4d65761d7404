// How two ends of a Unix socket become a socket pipe: each says what it speaks and wants, and both take what both can.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_SOCKET_HANDSHAKE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_SOCKET_HANDSHAKE_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The first bytes of each side. Its size and layout are those of every version.
struct SocketHello {
  static constexpr uint32_t kMagic = 0x6b636f53;  // "Sock".
  static constexpr uint16_t kOldestVersion = 1;
  static constexpr uint16_t kNewestVersion = 1;

  uint32_t magic = kMagic;
  uint16_t oldest_version = kOldestVersion;
  uint16_t newest_version = kNewestVersion;
  uint64_t max_message_bytes = 0;
  uint32_t keep_alive_milliseconds = 0;    // This side is never silent for longer; 0: it may be.
  uint32_t idle_timeout_milliseconds = 0;  // And will not bear more of the other; 0: it will.
  uint32_t flags = 0;                      // For features that the other side may ignore.
  uint32_t reserved = 0;                   // Ignored.
};
static_assert(std::is_trivially_copyable_v<SocketHello> && sizeof(SocketHello) == 32);

struct SocketTerms {
  size_t max_message_bytes = 0;
  // Whole milliseconds; zero: off.
  absl::Duration keep_alive_period = absl::ZeroDuration();
  absl::Duration idle_timeout = absl::ZeroDuration();
};

// One side. Move-only; owns the socket until `TakeSocket`.
class SocketHandshake {
 public:
  // INVALID_ARGUMENT: not a SEQPACKET or stream socket.
  static absl::StatusOr<SocketHandshake> Create(Fd socket, const SocketTerms& terms);

  // Does what can be done without waiting; true: done. FAILED_PRECONDITION: no common version (kWrongVersion), or one
  // side speaks less often than the other wants to hear. DATA_LOSS: the peer speaks something else. UNAVAILABLE
  // (kGone): it went. INVALID_ARGUMENT: the socket is not connected.
  absl::StatusOr<bool> Advance();

  // `Advance` until it is done. DEADLINE_EXCEEDED: the peer has not answered.
  absl::Status Run(Deadline deadline);

  FdView socket() const { return socket_; }
  // What `Advance` waits for, as in poll(2).
  short events() const;

  // Once it is done.
  bool is_stream() const { return is_stream_; }
  const SocketTerms& terms() const { return terms_; }  // `max_message_bytes` is what both can.
  Fd TakeSocket() && { return std::move(socket_); }

 private:
  SocketHandshake(Fd socket, bool is_stream, const SocketTerms& terms);

  absl::Status SendHello();
  // True: it is complete.
  absl::StatusOr<bool> ReceiveHello();
  absl::Status Agree();

  Fd socket_;
  bool is_stream_;
  SocketTerms terms_;
  SocketHello own_;
  SocketHello peer_;
  size_t sent_ = 0;      // Bytes of `own_`.
  size_t received_ = 0;  // Bytes of `peer_`.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_SOCKET_HANDSHAKE_H_
