// What became of the peer's end of a channel, for those who have something on the way in it.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_PEER_END_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_PEER_END_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Of a channel of a session, which outlives both. Any thread.
class PeerEnd {
 public:
  // The peer has let go of its end, and had received `messages` by then: it gets no more.
  void Ended(uint64_t messages) {
    received_.store(std::min(messages, kInUse - 1), std::memory_order_release);  // Pairs with the loads here.
  }

  bool has_ended() const { return received_.load(std::memory_order_acquire) != kInUse; }

  // Whether the peer never got message `index` of this side, counted from 0, and never will.
  bool Misses(uint64_t index) const {
    const uint64_t received = received_.load(std::memory_order_acquire);
    return received != kInUse && index >= received;
  }

 private:
  static constexpr uint64_t kInUse = UINT64_MAX;

  std::atomic<uint64_t> received_{kInUse};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_PEER_END_H_
