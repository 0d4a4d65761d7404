#include "ipc_transport/structured/internal/pending_requests.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

std::optional<absl::StatusOr<IncomingMessage::Ptr>> PendingRequest::Take() {
  if (!answers.empty()) {
    IncomingMessage::Ptr answer = std::move(answers.front());
    answers.erase(answers.begin());
    return absl::StatusOr<IncomingMessage::Ptr>(std::move(answer));
  }
  if (is_complete) {
    return absl::StatusOr<IncomingMessage::Ptr>(
        absl::OutOfRangeError(absl::StrCat("all answers to request ", id, " have come")));
  }
  if (!end.ok()) return absl::StatusOr<IncomingMessage::Ptr>(end);
  return std::nullopt;
}

PendingRequest* PendingRequests::File(IncomingMessage::Ptr& answer) {
  const auto found = by_id_.find(answer->in_reply_to());
  if (found == by_id_.end()) return nullptr;
  PendingRequest* const request = found->second;
  if (request->answers.size() >= request->max_answers) {
    by_id_.erase(found);
    request->end = absl::ResourceExhaustedError(
        absl::StrCat(request->answers.size(), " answers to request ", request->id,
                     " wait to be taken; take them sooner, or raise StructuredChannelOptions::max_waiting_messages"));
    return request;
  }
  const bool is_last = !request->wants_many || !answer->more_follow();
  request->answers.push_back(std::move(answer));
  if (is_last) {
    by_id_.erase(found);
    request->is_complete = true;
  }
  return request;
}

PendingRequest* PendingRequests::Fail(uint64_t id, const absl::Status& why) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  PendingRequest* const request = found->second;
  by_id_.erase(found);
  request->end = why;
  return request;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
