// What a structured channel has counted: figures for a monitor, read while traffic goes on.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_COUNTERS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_COUNTERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {

// Messages of one direction, since the channel was made.
struct MessageCounters {
  // Types from here on, and messages without a type, count as the last.
  static constexpr size_t kTypes = 64;

  uint64_t messages = 0;
  uint64_t stored_messages = 0;  // Of those: with a part in the store.
  uint64_t bytes = 0;            // That lay in the record, or followed it through the pipe.
  uint64_t stored_bytes = 0;     // That lay in the store.
  // By the root's union member, in the order of the schema's discriminants.
  std::array<uint64_t, kTypes> types = {};
};

struct StructuredCounters {
  static constexpr size_t kRoundTripClasses = 40;

  MessageCounters sent;
  MessageCounters received;
  uint64_t requests_outstanding = 0;
  uint64_t late_answers = 0;      // That came here and nobody waited for.
  uint64_t unwanted_answers = 0;  // That this side sent, and the peer did not wait for.
  uint64_t dropped_messages = 0;  // That were larger than this side takes.
  // Requests by the time to their first answer: class n is below 2^n ns, and not below 2^(n-1). All 0 unless
  // StructuredChannelOptions::measure_round_trips.
  std::array<uint64_t, kRoundTripClasses> round_trips = {};
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_COUNTERS_H_
