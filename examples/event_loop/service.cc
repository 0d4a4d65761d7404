#include "examples/event_loop/service.h"

#include <cstring>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace event_loop {
namespace {

// Of one channel, before the others have their turn: a peer that never pauses must not have the loop for itself.
constexpr int kAnswersInARow = 64;

}  // namespace

Service::Next Service::Go() {
  for (int i = 0; i < kAnswersInARow; ++i) {
    if (!has_answer_) {
      if (const Next next = TakeRequest(); next != Next::kYield) return next;
    }
    if (const Next next = SendAnswer(); next != Next::kYield) return next;
  }
  return Next::kYield;
}

Service::Next Service::TakeRequest() {
  Request request;
  const absl::Span<std::byte> buffer(reinterpret_cast<std::byte*>(&request), sizeof(request));
  const absl::StatusOr<std::optional<size_t>> bytes = channel_.TryReceive(buffer);
  // The peer has finished, and got all its answers.
  if (absl::IsOutOfRange(bytes.status())) return End(channel_.FinishSending());
  if (!bytes.ok()) return End(bytes.status());
  if (!bytes->has_value()) return Next::kWaitForRequest;
  if (**bytes != sizeof(request)) return End(absl::InvalidArgumentError(absl::StrCat("a request of ", **bytes, " B")));
  const Answer answer = {.number = request.number, .figures = figures_};
  std::memcpy(answer_.data(), &answer, sizeof(answer));
  has_answer_ = true;
  return Next::kYield;
}

Service::Next Service::SendAnswer() {
  const absl::StatusOr<bool> sent = channel_.TrySend(answer_);
  const bool is_full = sent.ok() && !*sent;
  if (is_full != is_full_) figures_.full_channels += is_full ? 1 : -1;
  is_full_ = is_full;
  if (!sent.ok()) return End(sent.status());
  if (is_full) return Next::kWaitForRoom;
  has_answer_ = false;
  return Next::kYield;
}

Service::Next Service::End(const absl::Status& status) {
  status_ = status;
  if (!status.ok()) channel_.Close();
  return Next::kEnd;
}

}  // namespace event_loop
