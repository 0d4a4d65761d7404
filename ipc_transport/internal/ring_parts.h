// What a ring pipe is made of; a session hands it out channel by channel.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_RING_PARTS_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_RING_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "ipc_transport/internal/link.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct RingParts {
  std::shared_ptr<Link> link;
  // Whether the pipe's end is the link's end too.
  bool owns_link = false;
  uint32_t channel = 0;
  // Lanes in both outboxes, control and ring (ring_layout.h); the own one is initialised.
  absl::Span<std::byte> own;
  absl::Span<const std::byte> peer;
  // Keeps the lanes mapped.
  std::shared_ptr<const void> mapping;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_RING_PARTS_H_
