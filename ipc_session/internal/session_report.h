// What a server tells of its sessions to whoever asks.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_REPORT_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_REPORT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc_session/channel_options.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/counters.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// As in DirectionCounters.
struct TrafficReport {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t refused = 0;
  uint64_t spins = 0;
  uint64_t sleeps = 0;
  std::array<uint64_t, DirectionCounters::kSizeClasses> sizes = {};

  friend bool operator==(const TrafficReport&, const TrafficReport&) = default;
};

struct ChannelReport {
  uint32_t id = 0;
  PipeKind pipe = PipeKind::kRing;
  TrafficReport sent = {};
  TrafficReport received = {};
  uint64_t unread_bytes = 0;  // As in PipeCounters.

  friend bool operator==(const ChannelReport&, const ChannelReport&) = default;
};

struct SessionReport {
  SessionPeer peer = {};
  int64_t opened_unix_nanos = 0;
  bool has_ended = false;                  // The server's program still has its handle.
  std::optional<MemoryUsage> memory = {};  // Of the server's side.
  uint32_t channels = 0;
  std::vector<ChannelReport> listed = {};  // Of those.
};

struct ServerReport {
  std::string app = {};
  MemoryKind kind = MemoryKind::kHeap;
  uint32_t sessions = 0;
  std::vector<SessionReport> listed = {};  // Of those; the oldest.
};

// More are counted, not listed.
inline constexpr size_t kMaxListedSessions = 256;
inline constexpr size_t kMaxListedChannels = 2048;  // Of all sessions.

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_REPORT_H_
