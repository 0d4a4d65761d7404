// The counters of a structured channel while they count.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_STATS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_STATS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ipc_transport/structured/counters.h"
#include "ipc_util/internal/counter.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Of one direction. One thread at a time counts, any reads.
class alignas(128) MessageStats {
 public:
  void Count(std::optional<uint16_t> type, uint64_t bytes, uint64_t stored_bytes) {
    types_[std::min<size_t>(type.value_or(MessageCounters::kTypes - 1), MessageCounters::kTypes - 1)].Add(1);
    bytes_.Add(bytes);
    if (stored_bytes == 0) return;
    stored_messages_.Add(1);
    stored_bytes_.Add(stored_bytes);
  }

  MessageCounters Read() const {
    MessageCounters counters;
    for (size_t i = 0; i < types_.size(); ++i) {
      counters.types[i] = types_[i].value();
      counters.messages += counters.types[i];
    }
    counters.stored_messages = stored_messages_.value();
    counters.bytes = bytes_.value();
    counters.stored_bytes = stored_bytes_.value();
    return counters;
  }

 private:
  Counter stored_messages_;
  Counter bytes_;
  Counter stored_bytes_;
  std::array<Counter, MessageCounters::kTypes> types_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_MESSAGE_STATS_H_
