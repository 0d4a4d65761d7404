#include "ipc_transport/structured/internal/channel_core.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>
#include <variant>

#include "absl/base/optimization.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Records that are no message do not keep a call from its deadline, or an event loop from its other business.
constexpr uint32_t kRecordsPerClock = 64;
// What a closing channel gives back at most, so that a peer that goes on sending does not hold it up.
constexpr int kMaxDrainedRecords = 65536;
constexpr absl::Duration kDrainTime = absl::Milliseconds(50);
// How soon a record that found no room is tried again while this side waits for something else.
constexpr absl::Duration kControlTick = absl::Milliseconds(10);
// Beyond, as of a peer that does not read, notices are forgotten.
constexpr size_t kMaxNotices = 1024;
// Whatever the options say: no message that lies in the store takes as much.
constexpr uint64_t kLeastHeapMessageBytes = uint64_t{64} << 10;

IncomingOptions IncomingOptionsOf(const StructuredChannelOptions& options, uint64_t max_heap_bytes) {
  IncomingOptions incoming = {.limits = options.reader_limits,
                              .copy_borrowed = options.trust == Trust::kUntrusted,
                              .free_traversal_bytes = std::nullopt,
                              .max_copied_bytes = max_heap_bytes};
  if (options.trust == Trust::kUntrusted) incoming.free_traversal_bytes = kFreeTraversalBytes;
  return incoming;
}

absl::Status TooLate(absl::string_view what) {
  return absl::DeadlineExceededError(absl::StrCat("another thread has been ", what, " until the deadline"));
}

int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::shared_ptr<ChannelCore> ChannelCore::Create(Channel channel, std::shared_ptr<MessageStore> store,
                                                 const SchemaIdentity& schema, const StructuredChannelOptions& options,
                                                 TypeOfMessage type_of) {
  auto core =
      std::make_shared<ChannelCore>(std::move(channel).ReleasePipe(), std::move(store), schema, options, type_of);
  if (!core->EndStatus().ok() || !core->send_turn_.TryTake()) return core;
  const PassTurn pass(core->send_turn_);
  // What keeps it from being sent now will be reported by the first call, which tries again.
  core->writer_.OfferSchema(Deadline::Passed()).IgnoreError();
  return core;
}

ChannelCore::ChannelCore(std::unique_ptr<Pipe> pipe, std::shared_ptr<MessageStore> store, const SchemaIdentity& schema,
                         const StructuredChannelOptions& options, TypeOfMessage type_of)
    : pipe_(std::move(pipe)),
      store_(std::move(store)),
      type_of_(type_of),
      max_heap_bytes_(std::max(options.max_heap_message_bytes, kLeastHeapMessageBytes)),
      max_waiting_messages_(std::max<uint64_t>(options.max_waiting_messages, kFirstCredit)),
      measures_round_trips_(options.measure_round_trips),
      writer_(pipe_.get(), schema, max_waiting_messages_, [this] { PumpAll(); }),
      reader_(pipe_.get(), store_, schema, IncomingOptionsOf(options, max_heap_bytes_), next_id_),
      inbox_(max_waiting_messages_) {
  if (pipe_ == nullptr) {
    Break(absl::FailedPreconditionError("the channel was upgraded from one without a pipe: moved from, taken before, "
                                        "or never opened"))
        .IgnoreError();
  } else if (pipe_->max_message_bytes() < kMinPipeMessageBytes) {
    Break(absl::FailedPreconditionError(absl::StrCat("the pipe's messages have at most ", pipe_->max_message_bytes(),
                                                     " bytes; a structured channel needs ", kMinPipeMessageBytes)))
        .IgnoreError();
  }
}

absl::Status ChannelCore::Break(const absl::Status& status) {
  const MutexLock lock(end_mutex_);
  if (!end_status_.ok()) return end_status_;
  end_status_ = status;
  ended_.store(true, std::memory_order_release);  // Pairs with `EndStatus`.
  return status;
}

absl::Status ChannelCore::EndStatus() {
  if (ABSL_PREDICT_TRUE(!ended_.load(std::memory_order_acquire))) return absl::OkStatus();  // Pairs with `Break`.
  const MutexLock lock(end_mutex_);
  return end_status_;
}

void ChannelCore::set_wait_mode(WaitMode mode) {
  if (pipe_ != nullptr) pipe_->set_wait_mode(mode);
}

StructuredCounters ChannelCore::counters() {
  const MutexLock lock(mutex_);
  StructuredCounters counters = counters_;
  counters.sent = sent_.Read();
  counters.received = received_.Read();
  counters.requests_outstanding = pending_.size();
  return counters;
}

void ChannelCore::Close() {
  Break(absl::CancelledError("the channel was closed on this side")).IgnoreError();
  if (pipe_ == nullptr) return;
  // What users gave and what came goes last, without the lock: it may call the channel.
  Handlers handlers;
  EndHandler on_end;
  std::map<PendingRequest*, AsyncRequest> async;
  std::deque<AsyncRequest> ready;
  bool reads = false;
  {
    const MutexLock lock(mutex_);
    reads = !is_read_;
    if (reads) is_read_ = true;
    inbox_.Clear();
    std::swap(handlers, handlers_);
    std::swap(on_end, on_end_);
    for (const auto& [request, shared] : async_) pending_.Remove(*request);
    std::swap(async, async_);
    std::swap(ready, ready_);
    expiries_.clear();
  }
  if (reads) Drain();
  pipe_->Close();
  const MutexLock lock(mutex_);
  if (reads) is_read_ = false;
  WakeAll();
}

void ChannelCore::Drain() {
  // Loans come back with the messages that carry them; there is nothing else to give back.
  if (store_ == nullptr) return;
  const Deadline deadline(kDrainTime);
  for (int records = 0; records < kMaxDrainedRecords && !deadline.HasPassed(); ++records) {
    const absl::StatusOr<std::optional<Arrival>> arrival = reader_.TryRead();
    if (!arrival.ok() || !arrival->has_value()) return;
  }
}

// ---- Sending ----

absl::Status ChannelCore::Send(OutgoingMessage* message, const Sending& sending, Deadline deadline) {
  return SendMessage(message, sending, nullptr, deadline).status();
}

absl::Status ChannelCore::Reply(OutgoingMessage* answer, const Sending& sending, Deadline deadline) {
  IncomingMessage& request = *sending.answered;
  if (!request.is_request()) return absl::FailedPreconditionError("the message to answer is not a request");
  const std::shared_ptr<ChannelCore>& channel = request.reply_channel();
  if (channel == nullptr) return absl::FailedPreconditionError("the request is answered already");
  SLUICE_RETURN_IF_ERROR(channel->SendMessage(answer, sending, nullptr, deadline).status());
  if (!sending.more_follow) request.reply_channel().reset();
  return absl::OkStatus();
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::ReplyAndRequest(OutgoingMessage* answer, const Sending& sending,
                                                                  Deadline deadline) {
  IncomingMessage& request = *sending.answered;
  if (!request.is_request()) return absl::FailedPreconditionError("the message to answer is not a request");
  const std::shared_ptr<ChannelCore> channel = std::move(request.reply_channel());
  if (channel == nullptr) return absl::FailedPreconditionError("the request is answered already");
  return channel->Request(answer, sending, deadline);
}

absl::StatusOr<uint64_t> ChannelCore::SendMessage(OutgoingMessage* message_or_null, const Sending& sending,
                                                  PendingRequest* request, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(EndStatus());
  if (ABSL_PREDICT_FALSE(message_or_null == nullptr)) return NoMessage();
  OutgoingMessage& message = *message_or_null;
  SLUICE_RETURN_IF_ERROR(message.Seal());
  if (ABSL_PREDICT_FALSE(!peer_checked_.load(std::memory_order_acquire))) {  // Pairs with `Take`.
    // Nothing but the peer's type comes out of its first record. The end is reported by whoever sends or receives.
    {
      const MutexLock lock(mutex_);
      TryPump().status().IgnoreError();
    }
    SLUICE_RETURN_IF_ERROR(EndStatus());
  }
  OutgoingMessage::Ptr copy;  // Of a message in memory that the peer does not reach.
  if (message.store_of_segments() != nullptr && message.store_of_segments() != store_.get()) {
    SLUICE_ASSIGN_OR_RETURN(copy, message.CopyTo(store_));
  }
  absl::StatusOr<uint64_t> id = absl::UnknownError("not sent");
  while (true) {
    if (sending.answered == nullptr) SLUICE_RETURN_IF_ERROR(WaitForCredit(deadline));
    if (!send_turn_.Take(deadline)) return TooLate("sending");
    const PassTurn pass(send_turn_);
    if (sending.answered == nullptr && !HasCredit()) continue;  // Another thread has used it.
    id = WriteMessage(copy != nullptr ? *copy : message, sending, request, deadline);
    break;
  }
  FlushControls();
  // What ended the channel meanwhile tells more than the pipe that was closed for it.
  if (!id.ok()) SLUICE_RETURN_IF_ERROR(EndStatus());
  return id;
}

absl::StatusOr<uint64_t> ChannelCore::WriteMessage(const OutgoingMessage& message, const Sending& sending,
                                                   PendingRequest* request, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(writer_.OfferSchema(deadline));
  SLUICE_RETURN_IF_ERROR(WriteOwedNodes(deadline));  // Without them the peer could not read it.
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  if (request != nullptr) {
    const MutexLock lock(mutex_);
    request->id = id;
    if (measures_round_trips_) request->sent_nanos = NowNanos();
    pending_.Add(*request);
  }
  const MessageRole role = {
      .flags = static_cast<uint8_t>((request != nullptr ? kRequestFlag : 0) | (sending.more_follow ? kMoreFlag : 0)),
      .in_reply_to = sending.answered != nullptr ? sending.answered->id() : 0};
  const absl::Status written = writer_.Write(message, id, role, deadline);
  if (ABSL_PREDICT_FALSE(!written.ok())) {
    if (request != nullptr) {
      const MutexLock lock(mutex_);
      pending_.Remove(*request);
    }
    return written;
  }
  os::Point("structured.sent");
  if (sending.answered == nullptr) sent_unsolicited_.fetch_add(1, std::memory_order_relaxed);
  size_t private_bytes = message.inline_segment().size();
  for (const Blob& segment : message.attached()) private_bytes += segment.size();
  sent_.Count(sending.type, private_bytes, message.bytes() - private_bytes);
  return id;
}

void ChannelCore::PumpAll() {
  const MutexLock lock(mutex_);
  for (uint32_t records = 0; records < kRecordsPerClock; ++records) {
    const absl::StatusOr<bool> pumped = TryPump();
    if (!pumped.ok() || !*pumped) return;
  }
}

bool ChannelCore::HasCredit() const {
  return sent_unsolicited_.load(std::memory_order_relaxed) < peer_credit_.load(std::memory_order_relaxed);
}

absl::Status ChannelCore::WaitForCredit(Deadline deadline) {
  if (ABSL_PREDICT_TRUE(HasCredit())) return absl::OkStatus();
  const MutexLock lock(mutex_);
  Sleeper me = {.want = Want::kCredit};
  const absl::Status status = PumpUntil(me, deadline);
  if (!absl::IsDeadlineExceeded(status)) return status;
  return absl::DeadlineExceededError(absl::StrCat("the peer has as many messages waiting as it takes: it has allowed ",
                                                  peer_credit_.load(std::memory_order_relaxed),
                                                  ", all of which are sent"));
}

void ChannelCore::FlushControls() {
  while (ABSL_PREDICT_FALSE(controls_due_.load(std::memory_order_seq_cst)) && send_turn_.TryTake()) {
    const PassTurn pass(send_turn_);
    const absl::StatusOr<bool> flushed = TryFlushControls();
    if (!flushed.ok() || !*flushed) return;  // The end is found by whoever receives.
  }
}

absl::Status ChannelCore::WriteOwedNodes(Deadline deadline) {
  if (ABSL_PREDICT_TRUE(!owes_nodes_.load(std::memory_order_relaxed))) return absl::OkStatus();
  const absl::Status status = writer_.WriteNodes(deadline);
  if (status.ok()) owes_nodes_.store(false, std::memory_order_relaxed);
  // A schema that is too large to be judged ends the channel, on both sides.
  if (absl::IsResourceExhausted(status) || absl::IsFailedPrecondition(status)) {
    Break(status).IgnoreError();
    pipe_->Close();
  }
  return status;
}

absl::StatusOr<bool> ChannelCore::TryFlushControls() {
  controls_due_.store(false, std::memory_order_seq_cst);  // Before the look at what is due.
  auto still_due = absl::MakeCleanup([this] { controls_due_.store(true, std::memory_order_seq_cst); });
  if (const absl::Status status = writer_.OfferSchema(Deadline::Passed()); !status.ok()) {
    if (absl::IsDeadlineExceeded(status)) return false;
    return status;
  }
  if (const absl::Status status = WriteOwedNodes(Deadline::Passed()); !status.ok()) {
    if (absl::IsDeadlineExceeded(status)) return false;
    return status;
  }
  while (true) {
    std::pair<RecordKind, uint64_t> notice = {};
    {
      const MutexLock lock(mutex_);
      // Granted before the peer hears of it, as it may use it at once.
      if (unsent_credit_ == 0 && inbox_.OwesCredit()) unsent_credit_ = inbox_.Grant();
      if (unsent_credit_ != 0) {
        notice = {RecordKind::kCredit, unsent_credit_};
      } else if (!notices_.empty()) {
        notice = notices_.front();
      } else {
        break;
      }
    }
    SLUICE_ASSIGN_OR_RETURN(const bool sent, writer_.TryWriteControl(notice.first, notice.second));
    if (!sent) return false;
    os::Point("structured.told");
    if (std::exchange(unsent_credit_, 0) != 0) continue;
    const MutexLock lock(mutex_);
    notices_.pop_front();
  }
  std::move(still_due).Cancel();
  return true;
}

void ChannelCore::AddNotice(RecordKind kind, uint64_t request) {
  if (notices_.size() < kMaxNotices) notices_.emplace_back(kind, request);
  controls_due_.store(true, std::memory_order_seq_cst);
}

void ChannelCore::TellNoAnswer(uint64_t request) {
  {
    const MutexLock lock(mutex_);
    AddNotice(RecordKind::kNoAnswer, request);
  }
  FlushControls();
}

// ---- Receiving ----

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
    if (event_ != nullptr) event_->Signal();  // The next look sets the timer.
    WakeAll();
  } else {
    async_.erase(entry);
  }
  return status;
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Receive(Deadline deadline) {
  absl::StatusOr<IncomingMessage::Ptr> message = absl::UnknownError("nothing received");
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
    if (status.ok()) status = receive_end_;
    if (!status.ok()) break;
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
  // Whoever sleeps reads on.
  if (!is_read_ && !sleepers_.empty()) sleepers_.front()->wake.NotifyOne();
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
  if (!sleepers_.empty()) sleepers_.front()->wake.NotifyOne();
  return Take(std::move(arrival));
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
      if (PendingRequest* const request = pending_.Fail(dropped->in_reply_to, dropped->why)) TellRequest(*request);
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
    if (PendingRequest* const request = pending_.Fail(no_answer->request, why)) TellRequest(*request);
  } else if (!peer_checked_.load(std::memory_order_relaxed) && reader_.peer_checked()) {
    peer_credit_.store(std::max(reader_.peer_credit(), kFirstCredit), std::memory_order_relaxed);
    peer_checked_.store(true, std::memory_order_release);  // Pairs with `SendMessage`.
    if (reader_.is_judging()) {
      is_judging_ = true;
      owes_nodes_.store(true, std::memory_order_relaxed);
      controls_due_.store(true, std::memory_order_seq_cst);
    }
  } else if (is_judging_ && !reader_.is_judging()) {
    is_judging_ = false;
    WakeAll();
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
    TellRequest(*request);
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

void ChannelCore::TellRequest(PendingRequest& request) {
  if (request.on_answer) MakeReady(request);
}

void ChannelCore::WakeAll() {
  for (Sleeper* const sleeper : sleepers_) sleeper->wake.NotifyOne();
  if (event_ != nullptr) event_->Signal();
}

// ---- Dispatching ----

void ChannelCore::On(uint16_t type, MessageHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  handlers_.On(type, std::move(handler));
  WakeAll();
}

void ChannelCore::Once(uint16_t type, MessageHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  handlers_.Once(type, std::move(handler));
  WakeAll();
}

void ChannelCore::OnOther(MessageHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  handlers_.OnOther(std::move(handler));
  WakeAll();
}

void ChannelCore::OnEnd(EndHandler handler) {
  if (!EndStatus().ok()) return;
  const MutexLock lock(mutex_);
  on_end_ = std::move(handler);
  WakeAll();
}

absl::StatusOr<FdView> ChannelCore::EventFd() {
  SLUICE_RETURN_IF_ERROR(EndStatus());
  const MutexLock lock(mutex_);
  if (event_ == nullptr) {
    SLUICE_ASSIGN_OR_RETURN(event_, ChannelEvent::Create(*pipe_));
  }
  return event_->fd();
}

absl::Status ChannelCore::Dispatch(Deadline deadline) {
  const std::shared_ptr<ChannelCore> self = shared_from_this();  // A handler may destroy the channel.
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const bool ran, TryDispatch());
    if (ran) return absl::OkStatus();
    const MutexLock lock(mutex_);
    Sleeper me = {.want = Want::kEvent};
    const absl::Status status = PumpUntil(me, Earlier(deadline, NextExpiry()));
    if (absl::IsDeadlineExceeded(status) && deadline.HasPassed()) return status;
  }
}

absl::StatusOr<bool> ChannelCore::TryDispatch() {
  const std::shared_ptr<ChannelCore> self = shared_from_this();  // A handler may destroy the channel.
  // Acquire and release: what the dispatcher before did is seen.
  if (is_dispatching_.exchange(true, std::memory_order_acquire)) {
    return absl::FailedPreconditionError("Dispatch runs already: in another thread, or in the handler that calls it");
  }
  const auto done = absl::MakeCleanup([this] { is_dispatching_.store(false, std::memory_order_release); });
  Event event;
  {
    const MutexLock lock(mutex_);
    for (uint32_t records = 0; records < kRecordsPerClock; ++records) {
      SLUICE_RETURN_IF_ERROR(EndStatus());
      event = NextEvent();
      if (event) break;
      if (!receive_end_.ok()) return receive_end_;
      if (event_ != nullptr) event_->Quiet();  // Before the last look.
      dispatcher_reads_ = true;
      const absl::StatusOr<bool> pumped = TryPump();
      dispatcher_reads_ = false;
      if (!pumped.ok() || *pumped) continue;
      event = NextEvent();  // What another thread has filed meanwhile.
      if (event) break;
      if (event_ != nullptr) {
        const bool is_due = controls_due_.load(std::memory_order_relaxed);  // A hint: when to look again.
        event_->SetTimer(is_due ? Earlier(NextExpiry(), kControlTick) : NextExpiry());
      }
      break;
    }
  }
  FlushControls();
  if (!event) return false;
  event();
  return true;
}

bool ChannelCore::HasEvent() {
  if (is_judging_) return false;
  return !ready_.empty() || inbox_.HasHandled(handlers_) ||
         (!expiries_.empty() && expiries_.begin()->first.HasPassed());
}

ChannelCore::Event ChannelCore::NextEvent() {
  if (is_judging_) return nullptr;
  ExpireRequests();
  inbox_.DropFailed();
  if (!ready_.empty()) {
    const AsyncRequest request = std::move(ready_.front());
    ready_.pop_front();
    return EventOf(request);
  }
  IncomingMessage::Ptr message;
  if (Handlers::Shared handler = inbox_.PopHandled(handlers_, message)) {
    if (inbox_.OwesCredit()) controls_due_.store(true, std::memory_order_seq_cst);
    return [handler = std::move(handler), message = HandOut(std::move(message))]() mutable {
      (*handler)(std::move(message));
    };
  }
  if (!receive_end_.ok() && on_end_) {
    return [on_end = std::exchange(on_end_, nullptr), status = receive_end_]() mutable { on_end(status); };
  }
  return nullptr;
}

ChannelCore::Event ChannelCore::EventOf(const AsyncRequest& request) {
  request->is_ready = false;
  absl::StatusOr<IncomingMessage::Ptr> answer = *request->Take();
  const bool is_error = !answer.ok();
  const bool is_over = is_error || (request->answers.empty() && absl::IsOutOfRange(request->end));
  if (is_over) {
    pending_.Remove(*request);
    async_.erase(request.get());
    if (request->expiry.has_value()) expiries_.erase(*request->expiry);
  } else if (request->has_news()) {
    MakeReady(*request);
  }
  if (!is_error) answer = HandOut(*std::move(answer));
  return [request, answer = std::move(answer)]() mutable { request->on_answer(std::move(answer)); };
}

void ChannelCore::ExpireRequests() {
  while (!expiries_.empty() && expiries_.begin()->first.HasPassed()) {
    PendingRequest& request = *expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    request.expiry.reset();
    if (!request.end.ok()) continue;
    pending_.Remove(request);
    request.end = absl::DeadlineExceededError(absl::StrCat("no answer to request ", request.id, " came in time"));
    MakeReady(request);
  }
}

void ChannelCore::EndRequests() {
  for (const auto& [request, shared] : async_) {
    if (!request->end.ok()) continue;
    pending_.Remove(*request);
    request->end = receive_end_;
    MakeReady(*request);
  }
}

void ChannelCore::MakeReady(PendingRequest& request) {
  if (request.is_ready) return;
  const auto entry = async_.find(&request);
  if (entry == async_.end()) return;
  request.is_ready = true;
  ready_.push_back(entry->second);
  SignalEvent();
}

void ChannelCore::SignalEvent() {
  if (event_ != nullptr && !dispatcher_reads_) event_->Signal();
}

Deadline ChannelCore::NextExpiry() { return expiries_.empty() ? Deadline::Never() : expiries_.begin()->first; }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
