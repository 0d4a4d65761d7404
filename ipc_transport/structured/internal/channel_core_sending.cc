// How a structured channel sends.

#include <utility>

#include "absl/base/optimization.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/channel_core.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Beyond, as of a peer that does not read, notices are forgotten.
constexpr size_t kMaxNotices = 1024;

absl::Status CheckUnanswered(IncomingMessage& request) {
  if (!request.is_request()) return absl::FailedPreconditionError("the message to answer is not a request");
  if (request.reply_channel() == nullptr) return absl::FailedPreconditionError("the request is answered already");
  return absl::OkStatus();
}

}  // namespace

absl::Status ChannelCore::Send(OutgoingMessage* message, const Sending& sending, Deadline deadline) {
  return SendMessage(message, sending, nullptr, deadline).status();
}

absl::Status ChannelCore::Reply(OutgoingMessage* answer, const Sending& sending, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(CheckUnanswered(*sending.answered));
  std::shared_ptr<ChannelCore>& channel = sending.answered->reply_channel();
  SLUICE_RETURN_IF_ERROR(channel->SendMessage(answer, sending, nullptr, deadline).status());
  if (!sending.more_follow) channel.reset();
  return absl::OkStatus();
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::ReplyAndRequest(OutgoingMessage* answer, const Sending& sending,
                                                                  Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(CheckUnanswered(*sending.answered));
  const std::shared_ptr<ChannelCore> channel = std::move(sending.answered->reply_channel());
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
  absl::StatusOr<uint64_t> id = uint64_t{0};
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
  SLUICE_RETURN_IF_ERROR(Introduce(deadline));  // Else the peer could not read it.
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

absl::Status ChannelCore::Introduce(Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(writer_.OfferSchema(deadline));
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
  if (const absl::Status status = Introduce(Deadline::Passed()); !status.ok()) {
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

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
