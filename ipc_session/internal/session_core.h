// One side of an open session; what handles and channels share.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_CORE_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_session/internal/session_dispatcher.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_report.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/internal/link.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a finished login leaves.
struct SessionParts {
  Side side = Side::kClient;
  Fd socket;
  PidFd process;  // The peer's.
  std::shared_ptr<const Outboxes> outboxes;
  uint32_t channels = 0;      // That it starts with.
  uint32_t max_channels = 0;  // At a time, as this side has it.
  absl::Duration keep_alive_period = absl::ZeroDuration();
  absl::Duration idle_timeout = absl::ZeroDuration();
  std::shared_ptr<SessionMemory> memory;  // Null: on the heap.
  SessionPeer peer;
  std::string peer_metadata;
};

// Any thread. Channels that were taken share the link and the outboxes, not the core, so they outlive it.
class SessionCore {
 public:
  // RESOURCE_EXHAUSTED: no descriptor for it. The own outbox has its lanes initialised.
  static absl::StatusOr<std::shared_ptr<SessionCore>> Create(SessionParts parts);
  ~SessionCore();

  int channel_count() const { return channel_count_; }
  const std::shared_ptr<SessionChannels>& channels() const { return channels_; }
  SessionDispatcher& dispatcher() { return dispatcher_; }

  const SessionPeer& peer() const { return peer_; }
  const std::string& peer_metadata() const { return peer_metadata_; }
  const std::shared_ptr<MessageStore>& message_store() const { return message_store_; }
  FdView socket() const { return link_->socket(); }

  absl::Status status() const;
  absl::Status WaitForEnd(Deadline deadline) const;

  // For whoever asks; lists at most `max_channels`. Does not know when it was opened.
  SessionReport Report(size_t max_channels) const;

  // Says goodbye. Never waits.
  void End();

 private:
  SessionCore(SessionParts parts, std::shared_ptr<Link> link);

  const std::shared_ptr<Link> link_;
  const int channel_count_;
  const SessionPeer peer_;
  const std::string peer_metadata_;
  const std::shared_ptr<SessionMemory> memory_;
  const std::shared_ptr<SessionChannels> channels_;
  SessionDispatcher dispatcher_;
  std::shared_ptr<MessageStore> message_store_;
  std::atomic<bool> is_ended_here_{false};  // Relaxed: who comes second has nothing to do.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_CORE_H_
