// The other process of the event loop examples: the same program, started again. It asks on two channels, by calls
// that wait.

#ifndef SLUICE_EXAMPLES_EVENT_LOOP_PEER_H_
#define SLUICE_EXAMPLES_EVENT_LOOP_PEER_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "ipc_transport/channel.h"

namespace event_loop {

struct Peer {
  pid_t pid = -1;
  ipc::Channel ring;
  ipc::Channel socket;
};

// Starts this program as a peer, connected by descriptors that it inherits. `crashes`: it dies amid its requests.
absl::StatusOr<Peer> StartPeer(bool crashes);

// Whether this process was started as one; then `main` returns `RunPeer`.
bool IsPeer(int argc, char** argv);
int RunPeer(int argc, char** argv);

}  // namespace event_loop

#endif  // SLUICE_EXAMPLES_EVENT_LOOP_PEER_H_
