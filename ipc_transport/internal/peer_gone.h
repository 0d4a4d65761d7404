// Why a peer is gone that said no goodbye.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_PEER_GONE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_PEER_GONE_H_

#include "absl/status/status.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// UNAVAILABLE (kGone): its socket has ended; nothing more is known.
absl::Status PeerGone();

// UNAVAILABLE: kExited or kKilled where the kernel tells how `process`, the peer's, ended; else as above. Waits up to
// 10 ms for that.
absl::Status HowPeerWent(const PidFd& process);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_PEER_GONE_H_
