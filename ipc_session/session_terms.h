// What a side asks of a session, and what it learns of the other side.

#ifndef SLUICE_IPC_SESSION_SESSION_TERMS_H_
#define SLUICE_IPC_SESSION_SESSION_TERMS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ipc_session/apps.h"
#include "ipc_session/arena_pages.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {

// What either side asks of a session; where the two differ, the greater wins unless it says otherwise.
struct SessionOptions {
  // Channels ready at the start, at most `max_channels`.
  int channels = 1;
  // Bytes of each of these channels' ring from this side, see RingPipeOptions; and of later ones that name no size.
  size_t ring_bytes = 256 * 1024;
  // Channels at a time, whoever opened them: 0 to 4096. Not negotiated: each side keeps to its own.
  int max_channels = 1024;
  // Room for all rings from this side; memory is taken as it is touched. 0: 64 MiB, or what the channels at the start
  // and 16 more take, if that is more. Else at most 1 TiB, and enough for the channels at the start.
  uint64_t outbox_bytes = 0;
  // Shown to the peer as `Session::peer_metadata`; at most 4 KiB.
  std::string metadata = {};
  // This side says that it is alive when it has said nothing for so long: 1 ms to 24 h, or zero: never. It works in
  // calls that wait, pass messages or dispatch; there is no thread behind it. Calls on socket and queue channels do not
  // count: there, drive the session by Dispatch.
  absl::Duration keep_alive_period = absl::ZeroDuration();
  // Silence of the peer for so long ends the session with UNAVAILABLE (kSilent): 1 ms to 24 h, longer than the peer's
  // keep_alive_period, or zero: never. A peer is silent when it is stopped, or runs but does none of the above.
  absl::Duration idle_timeout = absl::ZeroDuration();
  // Shared-memory sessions: the most memory that this side's messages may take, 128 GiB at most; memory is taken as it
  // is touched. In a classic session the client gets no more than the server, in steps of 2 MiB.
  uint64_t arena_bytes = uint64_t{4} << 30;
  // Shared-memory sessions: what this side's memory is made of. In a classic session the server decides on kHuge.
  ArenaPages arena_pages = ArenaPages::kOnTouch;
  // Shared-memory sessions: how long this side's arena, and a server's `ArenaFor`, keep memory of freed blocks for
  // their next use, before it goes back to the system. Zero: not at all. To 24 h; or absl::InfiniteDuration(): for
  // ever, but for large blocks beyond 16 MiB, which always go back at once. There is no thread behind it: when an arena
  // was not used for so long, the next call of its `Reclaim` gives all of it back; while it is used, calls give some of
  // it back. What other threads keep for their own next small blocks, some 2 MiB each at most, stays with them.
  absl::Duration arena_decay = absl::Seconds(10);
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
