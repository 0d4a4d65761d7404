// Limits of a structured channel.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_OPTIONS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_OPTIONS_H_

#include <cstddef>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {

// Of what this side receives.
struct StructuredChannelOptions {
  // The largest message that this side takes over the pipe into its own memory: every message of a channel without
  // shared memory, and those that the peer built on its heap. Larger ones are dropped as they arrive. Below 64 KiB
  // counts as 64 KiB.
  uint64_t max_heap_message_bytes = uint64_t{4} << 30;

  // Messages that wait for `Receive` because they came while a `Request` waited for its answer. Together they take at
  // most `max_heap_message_bytes` of this side's own memory. The message that goes beyond is kept too, and ends the
  // `Request`.
  size_t max_waiting_messages = 1024;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_OPTIONS_H_
