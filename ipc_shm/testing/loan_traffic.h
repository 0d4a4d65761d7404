// Random traffic of native objects from one side of a session; the other side does the same at the same time.

#ifndef SLUICE_IPC_SHM_TESTING_LOAN_TRAFFIC_H_
#define SLUICE_IPC_SHM_TESTING_LOAN_TRAFFIC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/session.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/testing/model_object.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct LoanTrafficOptions {
  // Borrowers write, too, under the objects' mutexes.
  bool peers_write = false;
  // Either side may die at any time: it changes no containers that the other side has, so that these stay whole.
  bool peers_die = false;
};

// What one side does, by its seed. Takes the session's channel 0. One thread.
class LoanTraffic {
 public:
  LoanTraffic(Session& session, uint64_t seed, const LoanTrafficOptions& options);

  // One thing or another: constructs, changes, lends, borrows, checks, releases, disowns or reclaims. Never waits.
  // DATA_LOSS: an object is spoilt. UNAVAILABLE: the peer has gone. Else what should not happen.
  absl::Status Step();

  // The peer calls it, too: ends the traffic, gives back and destroys everything. Waits for the peer. INTERNAL:
  // something of either side is left in this side's arena.
  absl::Status Finish();

  // The peer has called `Finish`.
  bool peer_finishes() const { return peer_met_; }

  // All that this side has is good.
  absl::Status Check() const;

  // After the peer's end: destroys all that this side owns, and keeps what it borrowed. INTERNAL: something is left.
  absl::Status DisownAll();

  // How often the arena was full; how much was lent and borrowed.
  int full() const { return full_; }
  int lent() const { return lent_; }
  int borrowed() const { return borrowed_count_; }

 private:
  struct Owned {
    std::shared_ptr<ModelObject> object;
    bool was_lent = false;
  };
  // Of one, as far as nobody else is at work on it.
  absl::Status CheckOne(const ModelObject& object) const;
  absl::Status Construct();
  absl::Status Lend();
  // Whether there was one.
  absl::StatusOr<bool> BorrowOne(Deadline deadline);
  void Change(ModelObject& object, bool containers_too);
  void ReclaimAll();
  // The peer has come so far, too.
  absl::Status Meet();
  absl::Status CheckEmpty() const;

  Channel channel_;
  internal::SessionArena arena_;
  const LoanTrafficOptions options_;
  Random random_;
  std::vector<Owned> owned_;
  std::vector<std::shared_ptr<const ModelObject>> borrowed_;
  bool peer_met_ = false;
  int full_ = 0;
  int lent_ = 0;
  int borrowed_count_ = 0;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_LOAN_TRAFFIC_H_
