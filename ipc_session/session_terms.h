// What a side asks of a session, and what it learns of the other side.

#ifndef SLUICE_IPC_SESSION_SESSION_TERMS_H_
#define SLUICE_IPC_SESSION_SESSION_TERMS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "ipc_session/apps.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {

// What either side asks of a session; where the two differ, the greater wins unless it says otherwise.
struct SessionOptions {
  // Channels ready at the start, at most 64.
  int channels = 1;
  // Bytes of each channel's ring from this side; see RingPipeOptions.
  size_t ring_bytes = 256 * 1024;
  // Shown to the peer as `Session::peer_metadata`; at most 4 KiB.
  std::string metadata = {};
  // Shared-memory sessions: the most memory that this side's messages may take, 128 GiB at most; memory is taken as it
  // is touched. In a classic session the client gets no more than the server.
  uint64_t arena_bytes = uint64_t{4} << 30;
  // Where the server's socket lies. Empty: /run/sluice if it exists and belongs to root or the server's uid, else
  // /tmp/sluice-<server's uid>.
  std::string run_folder = {};
  ExecutablePolicy executable_policy = ExecutablePolicy::kWhenReadable;
  // Client only: the limit of the whole login.
  Deadline deadline = Deadline::Default();
  // Client only: waits until `deadline` for a server that does not listen yet, that dies in the login, or that is at a
  // limit, instead of failing at once; DEADLINE_EXCEEDED then has the text and the Reason of the last attempt.
  bool wait_for_server = false;
};

// INVALID_ARGUMENT, naming the field and its value.
absl::Status Validate(const SessionOptions& options);

// The peer, as the kernel and the login told it.
struct SessionPeer {
  std::string app = {};
  Credentials credentials = {};
  // Whether its end is seen by its process. False where the kernel does not show the process here (pid 0: a foreign pid
  // namespace, before Linux 6.5): then only the end of its socket tells, which a forked child of it may keep open.
  bool process_watched = false;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_SESSION_TERMS_H_
