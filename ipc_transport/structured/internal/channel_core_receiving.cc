// How a structured channel receives: one thread reads for all.

#include <algorithm>
#include <bit>
#include <utility>
#include <variant>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Request(OutgoingMessage* message, const Sending& sending,
                                                          Deadline deadline) {
  {
    SLUICE_RETURN_IF_ERROR(EndStatus());
    const MutexLock lock(mutex_);
    SLUICE_RETURN_IF_ERROR(CheckRoomToWait());
  }
  PendingRequest request;
  request.max_answers = 1;
  SLUICE_ASSIGN_OR_RETURN(const uint64_t id, SendMessage(message, sending, &request, deadline));
  absl::StatusOr<IncomingMessage::Ptr> answer = NextAnswer(request, deadline);
  Forget(request);
  if (!answer.ok()) return WithContext(answer.status(), absl::StrCat("wait for the answer to request ", id));
  return answer;
}

absl::Status ChannelCore::RequestMany(OutgoingMessage* message, const Sending& sending, PendingRequest& request,
                                      Deadline deadline) {
  request.wants_many = true;
  request.max_answers = max_waiting_messages_;
  return SendMessage(message, sending, &request, deadline).status();
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::NextAnswer(PendingRequest& request, Deadline deadline) {
  std::optional<absl::StatusOr<IncomingMessage::Ptr>> answer;
  {
    const MutexLock lock(mutex_);
    Sleeper me = {.want = Want::kAnswer, .request = &request};
    const absl::Status status = PumpUntil(me, deadline);
    if (status.ok()) answer = request.Take();
    if (!status.ok()) return status;
    if (!answer.has_value()) return CheckRoomToWait();
  }
  if (!answer->ok()) {
    if (absl::IsOutOfRange(answer->status())) return IncomingMessage::Ptr();
    return answer->status();
  }
  return HandOut(**std::move(answer));
}

void ChannelCore::Forget(PendingRequest& request) {
  const MutexLock lock(mutex_);
  pending_.Remove(request);
}

absl::Status ChannelCore::RequestAsync(OutgoingMessage* message, const Sending& sending, bool wants_many,
                                       AnswerCallback on_answer, Deadline deadline) {
  const auto request = std::make_shared<PendingRequest>();
  request->wants_many = wants_many;
  request->max_answers = max_waiting_messages_;
  request->on_answer = std::move(on_answer);
  {
    const MutexLock lock(mutex_);
    async_.emplace(request.get(), request);
  }
  const absl::Status status = SendMessage(message, sending, request.get(), deadline).status();
  const MutexLock lock(mutex_);
  const auto entry = async_.find(request.get());
  if (entry == async_.end()) return status;  // Answered already, or closed.
  if (status.ok()) {
    request->expiry = expiries_.emplace(deadline, request.get());
    WakeAll();  // The next look sets the timer.
  } else {
    async_.erase(entry);
  }
  return status;
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Receive(Deadline deadline) {
  absl::StatusOr<IncomingMessage::Ptr> message = IncomingMessage::Ptr();
  {
    const MutexLock lock(mutex_);
    Sleeper me = {.want = Want::kMessage};
    SLUICE_RETURN_IF_ERROR(PumpUntil(me, deadline));
    message = inbox_.Pop();
    if (inbox_.OwesCredit()) controls_due_.store(true, std::memory_order_seq_cst);
  }
  FlushControls();
  if (!message.ok()) return message;
  return HandOut(*std::move(message));
}

IncomingMessage::Ptr ChannelCore::HandOut(IncomingMessage::Ptr message) {
  if (message->is_request()) message->reply_channel() = shared_from_this();
  return message;
}

absl::Status ChannelCore::CheckRoomToWait() const {
  if (ABSL_PREDICT_TRUE(inbox_.private_bytes() <= max_heap_bytes_)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      inbox_.size(), " messages of ", inbox_.private_bytes(),
      " bytes came before the answer and wait to be received; call Receive before the next Request, or raise "
      "StructuredChannelOptions::max_heap_message_bytes"));
}

bool ChannelCore::IsDone(const Sleeper& sleeper) {
  if (ABSL_PREDICT_FALSE(is_judging_)) return sleeper.want == Want::kCredit && HasCredit();
  switch (sleeper.want) {
    case Want::kAnswer:
      return sleeper.request->has_news() || !CheckRoomToWait().ok();
    case Want::kMessage:
      return !inbox_.empty();
    case Want::kEvent:
      return HasEvent();
    case Want::kCredit:
      return HasCredit();
  }
  return false;
}

absl::Status ChannelCore::PumpUntil(Sleeper& me, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(EndStatus());
  bool reads = false;
  uint32_t records = 0;
  absl::Status status;
  while (!IsDone(me)) {
    status = EndStatus();
    if (!status.ok()) break;
    if (ABSL_PREDICT_FALSE(!receive_end_.ok())) {
      status = receive_end_;
      break;
    }
    if (!reads && is_read_) {
      sleepers_.push_back(&me);
      const bool in_time = me.wake.WaitUntil(mutex_, deadline);
      std::erase(sleepers_, &me);
      if (in_time || IsDone(me)) continue;
      status = TooLate("receiving");
      break;
    }
    reads = is_read_ = true;
    mutex_.Unlock();
    FlushControls();
    absl::StatusOr<std::optional<Arrival>> arrival = reader_.TryRead();
    const bool got_record = !arrival.ok() || arrival->has_value();
    const bool got_nothing = got_record && arrival.ok() && std::holds_alternative<std::monostate>(**arrival);
    if (!got_record) {
      const bool is_due = controls_due_.load(std::memory_order_relaxed);  // A hint: how long to wait.
      status = pipe_->WaitToReceive(is_due ? Earlier(deadline, kControlTick) : deadline);
      if (is_due && absl::IsDeadlineExceeded(status) && !deadline.HasPassed()) status = absl::OkStatus();
    } else if (got_nothing && ++records % kRecordsPerClock == 0 && deadline.HasPassed()) {
      status = absl::DeadlineExceededError("the peer's message was not complete by the deadline");
    }
    mutex_.Lock();
    if (got_record) Take(std::move(arrival)).status().IgnoreError();  // The end is looked at above.
    if (!status.ok() && !IsDone(me)) {
      // What ended the channel meanwhile tells more than the pipe that was closed for it.
      if (const absl::Status end = EndStatus(); !end.ok()) status = end;
      break;
    }
    status = absl::OkStatus();
  }
  if (reads) is_read_ = false;
  PassReading();
  return status;
}

absl::StatusOr<bool> ChannelCore::TryPump() {
  if (is_read_) return false;
  is_read_ = true;
  mutex_.Unlock();
  FlushControls();
  absl::StatusOr<std::optional<Arrival>> arrival = reader_.TryRead();
  mutex_.Lock();
  is_read_ = false;
  PassReading();
  return Take(std::move(arrival));
}

void ChannelCore::PassReading() {
  if (!is_read_ && !sleepers_.empty()) sleepers_.front()->wake.NotifyOne();
}

absl::StatusOr<bool> ChannelCore::Take(absl::StatusOr<std::optional<Arrival>> arrival) {
  absl::Status status = arrival.status();
  if (status.ok()) {
    if (!arrival->has_value()) return false;
    status = File(**std::move(arrival));
  }
  if (ABSL_PREDICT_TRUE(status.ok())) return true;
  if (absl::IsDataLoss(status) || absl::IsFailedPrecondition(status)) {
    Break(status).IgnoreError();
    // A peer that speaks another type finds out by itself, if it has what it takes.
    if (absl::IsDataLoss(status) || owes_nodes_.load(std::memory_order_relaxed)) pipe_->Close();
  }
  receive_end_ = status;
  EndRequests();
  WakeAll();
  return status;
}

absl::Status ChannelCore::File(Arrival arrival) {
  if (auto* message = std::get_if<IncomingMessage::Ptr>(&arrival)) {
    SLUICE_RETURN_IF_ERROR(FileMessage(std::move(*message)));
  } else if (auto* dropped = std::get_if<DroppedMessage>(&arrival)) {
    ++counters_.dropped_messages;
    if (dropped->request != 0) AddNotice(RecordKind::kNoAnswer, dropped->request);
    if (dropped->in_reply_to != 0) {
      if (PendingRequest* const request = pending_.Fail(dropped->in_reply_to, dropped->why)) MakeReady(*request);
    } else if (!inbox_.Push(dropped->why, std::nullopt)) {
      return absl::DataLossError("the peer sent more messages than it was allowed");
    }
  } else if (const auto* credit = std::get_if<CreditRecord>(&arrival)) {
    if (credit->messages < peer_credit_.load(std::memory_order_relaxed)) {
      return absl::DataLossError(absl::StrCat("the peer allows ", credit->messages, " messages after ",
                                              peer_credit_.load(std::memory_order_relaxed)));
    }
    peer_credit_.store(credit->messages, std::memory_order_relaxed);
  } else if (const auto* unwanted = std::get_if<UnwantedRecord>(&arrival)) {
    if (counters_.unwanted_answers++ == 0) {
      Log(LogLevel::kWarning, absl::StrCat("the peer did not wait for the answer to its request ", unwanted->request,
                                           "; further ones on this channel are only counted"));
    }
  } else if (const auto* no_answer = std::get_if<NoAnswerRecord>(&arrival)) {
    if (no_answer->request >= next_id_.load(std::memory_order_relaxed)) {  // As in MessageReader.
      return absl::DataLossError(
          absl::StrCat("the peer will not answer request ", no_answer->request, ", which was not sent"));
    }
    const absl::Status why = WithReason(
        absl::UnavailableError(absl::StrCat("the peer let go of request ", no_answer->request, " without an answer")),
        Reason::kNoAnswer);
    if (PendingRequest* const request = pending_.Fail(no_answer->request, why)) MakeReady(*request);
  } else if (!peer_checked_.load(std::memory_order_relaxed) && reader_.peer_checked()) {
    peer_credit_.store(reader_.peer_credit(), std::memory_order_relaxed);
    peer_checked_.store(true, std::memory_order_release);  // Pairs with `SendMessage`.
    if (reader_.is_judging()) {
      is_judging_ = true;
      owes_nodes_.store(true, std::memory_order_relaxed);
      controls_due_.store(true, std::memory_order_seq_cst);
    }
  } else if (is_judging_ && !reader_.is_judging()) {
    is_judging_ = false;
    SignalEvent();
  }
  for (Sleeper* const sleeper : sleepers_) {
    if (IsDone(*sleeper)) sleeper->wake.NotifyOne();
  }
  return absl::OkStatus();
}

absl::Status ChannelCore::FileMessage(IncomingMessage::Ptr message) {
  os::Point("structured.received");
  const std::optional<uint16_t> type = type_of_(*message);
  received_.Count(type, message->own_bytes(), message->stored_bytes());
  if (message->in_reply_to() == 0) {
    if (!inbox_.Push(std::move(message), type)) {
      return absl::DataLossError("the peer sent more messages than it was allowed");
    }
    SignalEvent();
    return absl::OkStatus();
  }
  if (PendingRequest* const request = pending_.File(message)) {
    if (request->sent_nanos != 0) CountRoundTrip(*request);
    MakeReady(*request);
    return absl::OkStatus();
  }
  if (counters_.late_answers++ == 0) {
    Log(LogLevel::kWarning, absl::StrCat("an answer to request ", message->in_reply_to(),
                                         " came after its deadline, or is not the first; it is dropped. Further ones "
                                         "on this channel are only counted"));
  }
  AddNotice(RecordKind::kUnwanted, message->in_reply_to());
  return absl::OkStatus();
}

void ChannelCore::CountRoundTrip(PendingRequest& request) {
  const auto nanos = static_cast<uint64_t>(NowNanos() - request.sent_nanos);
  request.sent_nanos = 0;
  ++counters_.round_trips[std::min<size_t>(std::bit_width(nanos), StructuredCounters::kRoundTripClasses - 1)];
}

void ChannelCore::WakeAll() {
  for (Sleeper* const sleeper : sleepers_) sleeper->wake.NotifyOne();
  SignalLoop();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
