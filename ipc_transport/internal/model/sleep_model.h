// A model of how a ring's two sides sleep and wake each other, and a search through everything that can happen in it.
//
// It is the protocol of RingSender, RingReceiver, Link and `WaitUntil` of ring_pipe.cc, one access to shared memory a
// step. One side sends a few records through a ring that has room for less, and finishes; the other receives them; both
// sleep whenever they can. Other threads of both sides may read the doorbells in the sockets.
//
// The search visits each state that is reached when the steps of both sides, and the flushes of their stores
// (weak_memory.h), come in any order. Two things may go wrong. From some state nothing goes on, although not everything
// is received: somebody sleeps for ever, for a wake-up was lost. Or the receiver reads what is not, or no longer, the
// record: it is broken.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MODEL_SLEEP_MODEL_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MODEL_SLEEP_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Each takes away one thing that the code relies on, to see that the search misses it.
enum class Weakening {
  kNothing,
  // Memory orders, a step weaker than in the code.
  kCommitNotSeqCst,        // TrySend's commit: a release,
  kCommitNotRelease,       // or relaxed.
  kSkipNotRelease,         // TrySend's skip: relaxed.
  kSleepLookNotSeqCst,     // WakeReceiver's load of the sleep word: relaxed.
  kSleepStoreNotSeqCst,    // BeginSleep's store: a release.
  kRecheckNotSeqCst,       // HasNews's load of the commit word: an acquire.
  kCommitLoadNotAcquire,   // TryReceive's load of the commit word: relaxed.
  kPositionNotSeqCst,      // PublishPosition's store of the position: a release,
  kPositionNotRelease,     // or relaxed.
  kWishLookNotSeqCst,      // PublishPosition's load of the wish: relaxed.
  kWishNotSeqCst,          // Wish's store: a release.
  kPositionLoadNotSeqCst,  // ReadPosition's load: an acquire.
  kFinishNotRelease,       // Finish's store: relaxed.
  kFinishLookNotAcquire,   // Empty's and HasNews's loads of it: relaxed.
  kTicketNotAcquire,       // Ticket's load: relaxed.
  // Steps in another order.
  kSleepStoreAfterRecheck,  // The receiver looks again before it says that it sleeps.
  kWishAfterRecheck,        // The sender looks again before it wishes for a wake-up.
  kTicketAfterRecheck,      // The ticket is taken last.
  kPumpAfterRecheck,        // Event loop: arm, re-check, pump.
  kArmBeforePump,           // Event loop: arm, pump, re-check.
  // Steps left out.
  kSleepsNotNumbered,      // All sleeps store the same word.
  kWishesNotNumbered,      // All wishes for a wake-up do.
  kNoPublishWhenEmpty,     // The receiver has read everything, and keeps its position to itself.
  kFinishRingsNoDoorbell,  // Finish stores, and that is all.
  kPumpInterruptsNobody,   // Whoever reads a doorbell that was meant for another wakes only itself.
};

struct Model {
  uint8_t ring_lines;
  std::vector<uint8_t> records;  // Lines of each.
  bool event_loop = false;       // Both sides wait in event loops, or else in calls.
  bool others_pump = false;      // Other threads of both sides read the doorbells too.
  bool publish_each = false;     // The receiver publishes its position after each record, even if nobody wants room.
  bool is_patient = false;       // The sender withdraws its wish for a while before it waits, as WaitToSend does.
  Weakening weakening = Weakening::kNothing;

  bool Is(Weakening other) const { return weakening == other; }
};

struct Failures {
  bool lost_wakeup = false;
  bool broken_record = false;

  friend bool operator==(const Failures&, const Failures&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Failures& failures) {
    return out << (failures.lost_wakeup ? "a lost wake-up" : failures.broken_record ? "a broken record" : "nothing");
  }
};
inline constexpr Failures kNone = {};
inline constexpr Failures kLostWakeup = {.lost_wakeup = true};
inline constexpr Failures kBrokenRecord = {.broken_record = true};

struct SearchResult {
  Failures found;
  size_t states = 0;
};

// Stops when it finds `wanted`; if that is nothing, when it finds anything. Having found nothing, it has seen all.
SearchResult Search(const Model& model, Failures wanted);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MODEL_SLEEP_MODEL_H_
