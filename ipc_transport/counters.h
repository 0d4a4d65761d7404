// What a pipe has counted: figures for a monitor, read while traffic goes on.

#ifndef SLUICE_IPC_TRANSPORT_COUNTERS_H_
#define SLUICE_IPC_TRANSPORT_COUNTERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {

// Of one direction of a pipe, since it was made.
struct DirectionCounters {
  static constexpr size_t kSizeClasses = 33;

  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t refused = 0;  // Calls that found no room, or no message.
  uint64_t spins = 0;    // Waits that spinning ended.
  uint64_t sleeps = 0;   // Waits that slept.

  // Messages by size: class 0 is the empty ones, class n those of 2^(n-1) to 2^n - 1 bytes.
  std::array<uint64_t, kSizeClasses> sizes = {};
};

struct PipeCounters {
  DirectionCounters sent;
  DirectionCounters received;
  // Bytes sent from here, the pipe's own included, that the peer has not taken yet as far as it has told; 0 where the
  // kind cannot tell. A ring's reader tells every quarter ring, and when it finds nothing.
  uint64_t unread_bytes = 0;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_COUNTERS_H_
