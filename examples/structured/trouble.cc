#include "examples/structured/trouble.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/deadline.h"

namespace files {

// [guide
Remedy RemedyOf(const absl::Status& failure) {
  switch (failure.code()) {
    case absl::StatusCode::kDeadlineExceeded:   // The peer was too slow; the channel goes on.
    case absl::StatusCode::kResourceExhausted:  // Try a smaller message, or once others are read.
      return Remedy::kTryAgain;
    case absl::StatusCode::kUnavailable:  // The peer has closed its end, or is dead.
    case absl::StatusCode::kOutOfRange:   // It sends no more.
    case absl::StatusCode::kDataLoss:     // It broke the protocol.
      return Remedy::kConnectAgain;
    default:  // A mistake in the call, or ends that do not fit.
      return Remedy::kGiveUp;
  }
}
// guide]

// [guide
absl::StatusOr<bool> LogUnlessBehind(FileChannel& channel, const std::string& line) {
  ipc::Message<Body> message = channel.NewMessage();
  message.body().setLog(line);
  const absl::Status sent = channel.Send(std::move(message), ipc::Deadline::Passed());
  if (absl::IsDeadlineExceeded(sent)) return false;  // Not worth a wait.
  if (!sent.ok()) return sent;
  return true;
}
// guide]

// [guide
absl::Status AnswerContent(FileChannel& channel, uint64_t bytes, ipc::Incoming<Body>& request) {
  ipc::Message<Body> answer = channel.NewMessage();
  answer.body().initContent(1).init(0, bytes);
  if (const absl::Status built = answer.status(); !built.ok()) {
    answer = ipc::Message<Body>();  // On the heap, whose small messages can always be sent.
    answer.body().setFailure(std::string(built.message()));
  }
  return request.Reply(std::move(answer));
}
// guide]

// [guide
std::string Describe(const ipc::StructuredCounters& counters) {
  return absl::StrCat("sent ", counters.sent.messages, ", of these ", counters.sent.types[Body::LOG], " for the log; ",
                      "received ", counters.received.messages, "; ", counters.requests_outstanding, " wait, ",
                      counters.late_answers, " were late");
}

absl::Duration MedianRoundTrip(const ipc::StructuredCounters& counters) {
  uint64_t all = 0;
  for (const uint64_t requests : counters.round_trips) all += requests;
  uint64_t faster = 0;
  for (size_t i = 0; i < counters.round_trips.size() && all > 0; ++i) {
    faster += counters.round_trips[i];
    if (2 * faster >= all) return absl::Nanoseconds(int64_t{1} << i);
  }
  return absl::ZeroDuration();
}
// guide]

}  // namespace files
