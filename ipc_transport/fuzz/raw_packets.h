// A peer that sends over a socket whatever the kernel lets it.

#ifndef SLUICE_IPC_TRANSPORT_FUZZ_RAW_PACKETS_H_
#define SLUICE_IPC_TRANSPORT_FUZZ_RAW_PACKETS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/fuzz/fuzz_target.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

class RawPackets {
 public:
  // Borrows the socket.
  explicit RawPackets(FdView socket) : socket_(socket) {}

  // Sends a packet with control data of `input`'s choice, without waiting: a byte for what it is, a byte for how many
  // descriptors, and one for the kind of each. Packets with more descriptors than a test may have on their way go
  // without. Returns how many it has; nullopt: the kernel refused it.
  std::optional<size_t> Send(absl::Span<const uint8_t> bytes, FuzzInput& input);

 private:
  static constexpr size_t kMaxDescriptors = 600;

  const FdView socket_;
  size_t sent_descriptors_ = 0;
};

// How many this process has, of the first thousand: the same after a test as before.
size_t OpenDescriptors();

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_FUZZ_RAW_PACKETS_H_
