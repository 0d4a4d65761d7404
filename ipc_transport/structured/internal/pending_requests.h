// The requests of a channel that still want answers.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_PENDING_REQUESTS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_PENDING_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Gets an answer, or why there is none.
using AnswerCallback = absl::AnyInvocable<void(absl::StatusOr<IncomingMessage::Ptr>)>;

struct PendingRequest;
using Expiries = std::multimap<Deadline, PendingRequest*>;

// One request: of a thread that waits, or, if it has a callback, of `Dispatch`.
struct PendingRequest {
  // What can be handed out now; nullopt: nothing, wait. After the last answer: OUT_OF_RANGE.
  std::optional<absl::StatusOr<IncomingMessage::Ptr>> Take();
  bool has_news() const { return !answers.empty() || is_over(); }
  // No more answers come.
  bool is_over() const { return is_complete || !end.ok(); }

  bool wants_many = false;
  size_t max_answers = 0;  // That wait to be taken.
  AnswerCallback on_answer;
  std::optional<Expiries::iterator> expiry;  // Of a callback.

  uint64_t id = 0;
  int64_t sent_nanos = 0;  // Of the monotonic clock, where it is measured; 0: it is not, or no longer.
  bool is_ready = false;   // Queued for `Dispatch`.
  absl::InlinedVector<IncomingMessage::Ptr, 1> answers;  // Not taken yet, in order.
  bool is_complete = false;                              // The last has come.
  absl::Status end;                                      // Else: why no more come.
};

// Guarded by the channel's mutex. Entries are their owners'.
class PendingRequests {
 public:
  void Add(PendingRequest& request) { by_id_.emplace(request.id, &request); }
  // No answer reaches it any more.
  void Remove(const PendingRequest& request) { by_id_.erase(request.id); }

  // Files an answer for whom it is meant; null, and `answer` stays: for nobody.
  PendingRequest* File(IncomingMessage::Ptr& answer);
  // The same for an answer that could not be taken.
  PendingRequest* Fail(uint64_t id, const absl::Status& why);

  size_t size() const { return by_id_.size(); }

 private:
  absl::flat_hash_map<uint64_t, PendingRequest*> by_id_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_PENDING_REQUESTS_H_
