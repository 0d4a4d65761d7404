// Limits of a structured channel.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_OPTIONS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "ipc_transport/structured/reader_limits.h"

namespace ipc {
inline namespace sluice_0 {

// How far this side relies on the peer.
enum class Trust {
  // It is as right and as careful as this side: messages are read where they lie.
  kCooperating,
  // It may be anything: what it lends is copied before it is read, and reading is limited to 8 MiB and four times the
  // message, against little that unfolds to much. For large messages this costs the copy.
  kUntrusted,
};

// Of what this side receives.
struct StructuredChannelOptions {
  // The largest message that this side takes over the pipe into its own memory: every message of a channel without
  // shared memory, and those that the peer built on its heap. Larger ones are dropped as they arrive. Below 64 KiB
  // counts as 64 KiB.
  uint64_t max_heap_message_bytes = uint64_t{4} << 30;

  // Messages that are no answers and that the peer may be ahead of what was received here: beyond, its `Send` and
  // `Request` wait. Of this side's own memory they take at most `max_heap_message_bytes` together; a `Request` ends
  // once they take more. Also the answers to one request that may wait to be taken. Below 64 counts as 64.
  size_t max_waiting_messages = 1024;

  Trust trust = Trust::kCooperating;

  // Beyond, `body()` of a received message and what comes from it throw kj::Exception.
  ReaderLimits reader_limits = {};

  // Take the time of each request, for `StructuredChannel::counters`: two looks at the clock, some 50 ns.
  bool measure_round_trips = false;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_OPTIONS_H_
