// The control packets of an open session, with which channels come and go and regions are announced: what they say, and
// how they look.
//
//   opener: open [descriptor]  -->
//                              <--  acceptor: accept, or refuse
//   opener: withdraw           -->            (instead of waiting on; answered all the same)
//   either: retire             -->            (its end is destroyed: it looks at the other's lane no more)
//
//   either: region [descriptor] -->           (it has a further region, and may lend what lies there)
//
// Decoding is the one step between a peer's bytes and their use; whether a lane lies in the peer's outbox, and whether
// a descriptor is such a region, is checked beside it.

#ifndef SLUICE_IPC_SESSION_INTERNAL_CHANNEL_FRAMES_H_
#define SLUICE_IPC_SESSION_INTERNAL_CHANNEL_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/refusal.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A ring channel's frame places the sender's lane. A socket or queue channel's has none, and one descriptor.
struct OpenFrame {
  uint32_t channel = 0;
  PipeKind pipe = PipeKind::kRing;
  LanePlace lane = {};
  std::string metadata = {};

  friend bool operator==(const OpenFrame&, const OpenFrame&) = default;
};

struct AcceptFrame {
  uint32_t channel = 0;
  LanePlace lane = {};

  friend bool operator==(const AcceptFrame&, const AcceptFrame&) = default;
};

struct RefuseFrame {
  uint32_t channel = 0;
  Refusal refusal = {};

  friend bool operator==(const RefuseFrame&, const RefuseFrame&) = default;
};

struct WithdrawFrame {
  uint32_t channel = 0;

  friend bool operator==(const WithdrawFrame&, const WithdrawFrame&) = default;
};

struct RetireFrame {
  uint32_t channel = 0;
  uint64_t received = 0;  // Messages that its user had received by then.

  friend bool operator==(const RetireFrame&, const RetireFrame&) = default;
};

struct RegionFrame {
  uint32_t number = 0;  // Among the regions of its sender in this session.
  uint64_t bytes = 0;
  uint64_t address = 0;  // In its sender.

  friend bool operator==(const RegionFrame&, const RegionFrame&) = default;
};

using ChannelFrame = std::variant<OpenFrame, AcceptFrame, RefuseFrame, WithdrawFrame, RetireFrame, RegionFrame>;

std::string Encode(const ChannelFrame& frame);

// DATA_LOSS: none of them.
absl::StatusOr<ChannelFrame> DecodeChannelFrame(absl::Span<const std::byte> packet);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_CHANNEL_FRAMES_H_
