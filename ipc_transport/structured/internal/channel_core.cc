#include "ipc_transport/structured/internal/channel_core.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "absl/base/optimization.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/split.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Records that are no message do not keep a call from its deadline.
constexpr uint32_t kRecordsPerClock = 64;
// Whatever the options say: no message that lies in the store takes as much.
constexpr uint64_t kLeastHeapMessageBytes = uint64_t{64} << 10;
// What a closing channel gives back at most, so that a peer that goes on sending does not hold it up.
constexpr int kMaxDrainedRecords = 65536;
constexpr absl::Duration kDrainTime = absl::Milliseconds(50);

template <typename T>
Blob AsBlob(const T& value) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&value), sizeof(value));
}

template <typename T>
Blob AsBlob(absl::Span<const T> values) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T));
}

absl::Status TooLate(absl::string_view what) {
  return absl::DeadlineExceededError(absl::StrCat("another thread has been ", what, " until the deadline"));
}

}  // namespace

std::shared_ptr<ChannelCore> ChannelCore::Create(Channel channel, std::shared_ptr<MessageStore> store,
                                                 const SchemaIdentity& schema,
                                                 const StructuredChannelOptions& options) {
  auto core = std::make_shared<ChannelCore>(std::move(channel).ReleasePipe(), std::move(store), schema, options);
  if (!core->EndStatus().ok() || !core->send_turn_.TryTake()) return core;
  const PassTurn pass(core->send_turn_);
  // What keeps it from being sent now will be reported by the first call, which tries again.
  core->SendSchema(Deadline::Passed()).IgnoreError();
  return core;
}

ChannelCore::ChannelCore(std::unique_ptr<Pipe> pipe, std::shared_ptr<MessageStore> store, const SchemaIdentity& schema,
                         const StructuredChannelOptions& options)
    : pipe_(std::move(pipe)),
      store_(std::move(store)),
      schema_(schema),
      max_waiting_messages_(options.max_waiting_messages),
      max_heap_bytes_(std::max(options.max_heap_message_bytes, kLeastHeapMessageBytes)),
      joiner_(max_heap_bytes_) {
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

void ChannelCore::Close() {
  Break(absl::CancelledError("the channel was closed on this side")).IgnoreError();
  if (pipe_ == nullptr) return;
  if (receive_turn_.TryTake()) {
    const PassTurn pass(receive_turn_);
    Drain();
    pipe_->Close();
  } else {
    pipe_->Close();
  }
}

// ---- Sending ----

absl::Status ChannelCore::Send(OutgoingMessage* message, Deadline deadline) {
  return SendMessage(message, 0, 0, deadline).status();
}

absl::Status ChannelCore::Reply(IncomingMessage& request, OutgoingMessage* answer, Deadline deadline) {
  if (!request.is_request()) return absl::FailedPreconditionError("the message to answer is not a request");
  const std::shared_ptr<ChannelCore>& channel = request.reply_channel();
  if (channel == nullptr) return absl::FailedPreconditionError("the request is answered already");
  SLUICE_RETURN_IF_ERROR(channel->SendMessage(answer, 0, request.id(), deadline).status());
  request.reply_channel().reset();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ChannelCore::SendMessage(OutgoingMessage* message_or_null, uint8_t flags, uint64_t in_reply_to,
                                                  Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(EndStatus());
  if (ABSL_PREDICT_FALSE(message_or_null == nullptr)) return NoMessage();
  OutgoingMessage& message = *message_or_null;
  SLUICE_RETURN_IF_ERROR(message.Seal());
  if (ABSL_PREDICT_FALSE(!peer_checked_.load(std::memory_order_acquire))) {  // Pairs with `HandleSchema`.
    if (receive_turn_.TryTake()) {
      const PassTurn pass(receive_turn_);
      SLUICE_RETURN_IF_ERROR(LookForSchema());
    }
  }
  const bool is_stored = message.store_of_segments() != nullptr;
  if (is_stored && message.store_of_segments() != store_.get()) {
    return absl::FailedPreconditionError(
        "the message lies in the memory of another session than the channel; build it with this channel's NewMessage, "
        "or on the heap");
  }
  if (!send_turn_.Take(deadline)) return TooLate("sending");
  const PassTurn pass(send_turn_);
  SLUICE_RETURN_IF_ERROR(SendSchema(deadline));
  MessageHeader header;
  header.version = kRecordVersion;
  header.kind = static_cast<uint8_t>(RecordKind::kMessage);
  header.flags = static_cast<uint8_t>(flags | (is_stored ? kStoredFlag : 0));
  header.descriptors = static_cast<uint8_t>(message.descriptors().size());
  header.inline_words = static_cast<uint16_t>(message.inline_segment().size() / sizeof(capnp::word));
  header.segments = static_cast<uint16_t>(is_stored ? message.addresses().size() : message.attached().size());
  header.id = next_id_.fetch_add(1, std::memory_order_relaxed);
  header.in_reply_to = in_reply_to;
  const absl::Status sent = WriteMessage(message, header, deadline);
  if (ABSL_PREDICT_TRUE(sent.ok())) return header.id;
  // What ended the channel meanwhile tells more than the pipe that was closed for it.
  SLUICE_RETURN_IF_ERROR(EndStatus());
  return sent;
}

absl::Status ChannelCore::WriteMessage(const OutgoingMessage& message, const MessageHeader& header, Deadline deadline) {
  absl::InlinedVector<FdView, OutgoingMessage::kMaxDescriptors> descriptors;
  for (const Fd& fd : message.descriptors()) descriptors.push_back(fd);
  if (message.store_of_segments() != nullptr) return WriteStored(message, header, descriptors, deadline);
  if (ABSL_PREDICT_TRUE(message.attached().empty())) {
    const Blob parts[] = {AsBlob(header), message.inline_segment()};
    return WriteParts(parts, header.id, descriptors, deadline);
  }
  absl::InlinedVector<uint64_t, 16> words;
  for (const Blob& segment : message.attached()) words.push_back(segment.size() / sizeof(capnp::word));
  absl::InlinedVector<Blob, 16> parts = {AsBlob(header), AsBlob(absl::MakeConstSpan(words)), message.inline_segment()};
  parts.insert(parts.end(), message.attached().begin(), message.attached().end());
  return WriteParts(parts, header.id, descriptors, deadline);
}

absl::Status ChannelCore::WriteStored(const OutgoingMessage& message, const MessageHeader& header,
                                      absl::Span<const FdView> descriptors, Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const LoanHandle loan, message.Lend());
  const Blob parts[] = {AsBlob(header), AsBlob(loan), AsBlob(message.addresses()), message.inline_segment()};
  os::Point("structured.lent");
  absl::Status status = WriteParts(parts, header.id, descriptors, deadline);
  if (!status.ok()) message.TakeBack(loan);
  return status;
}

absl::Status ChannelCore::WriteParts(absl::Span<const Blob> parts, uint64_t id, absl::Span<const FdView> descriptors,
                                     Deadline deadline) {
  size_t bytes = 0;
  for (const Blob& part : parts) bytes += part.size();
  if (ABSL_PREDICT_TRUE(bytes <= pipe_->max_message_bytes())) return pipe_->SendParts(parts, descriptors, deadline);
  return SendSplit(*pipe_, parts, id, descriptors, deadline);
}

absl::Status ChannelCore::SendSchema(Deadline deadline) {
  if (ABSL_PREDICT_TRUE(schema_sent_)) return absl::OkStatus();
  const SchemaHeader header = {.version = 1,
                               .kind = static_cast<uint8_t>(RecordKind::kSchema),
                               .min_version = kRecordVersion,
                               .max_version = kRecordVersion,
                               .name_bytes = static_cast<uint32_t>(schema_.name.size()),
                               .type_id = schema_.type_id,
                               .layout_hash = schema_.layout_hash};
  const Blob parts[] = {AsBlob(header), AsBlob(absl::MakeConstSpan(schema_.name))};
  SLUICE_RETURN_IF_ERROR(pipe_->SendParts(parts, {}, deadline));
  schema_sent_ = true;
  return absl::OkStatus();
}

// ---- Receiving ----

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Request(OutgoingMessage* message, Deadline deadline) {
  if (!receive_turn_.Take(deadline)) return TooLate("receiving");
  const PassTurn pass(receive_turn_);
  SLUICE_RETURN_IF_ERROR(EndStatus());
  SLUICE_RETURN_IF_ERROR(LookForSchema());
  SLUICE_RETURN_IF_ERROR(CheckRoomToWait());
  SLUICE_ASSIGN_OR_RETURN(const uint64_t id, SendMessage(message, kRequestFlag, 0, deadline));
  absl::StatusOr<IncomingMessage::Ptr> answer = NextAnswer(id, deadline);
  if (!answer.ok()) return WithContext(answer.status(), absl::StrCat("wait for the answer to request ", id));
  return HandOut(*std::move(answer));
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::NextAnswer(uint64_t request, Deadline deadline) {
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(IncomingMessage::Ptr message, Next(deadline));
    if (message->in_reply_to() == request) return message;
    if (message->in_reply_to() != 0) {
      CountLateAnswer(*message);
      continue;
    }
    waiting_bytes_ += message->private_bytes();
    waiting_.push_back(std::move(message));
    SLUICE_RETURN_IF_ERROR(CheckRoomToWait());
  }
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Receive(Deadline deadline) {
  if (!receive_turn_.Take(deadline)) return TooLate("receiving");
  const PassTurn pass(receive_turn_);
  SLUICE_RETURN_IF_ERROR(EndStatus());
  if (!waiting_.empty()) {
    IncomingMessage::Ptr message = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= message->private_bytes();
    return HandOut(std::move(message));
  }
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(IncomingMessage::Ptr message, Next(deadline));
    if (message->in_reply_to() == 0) return HandOut(std::move(message));
    CountLateAnswer(*message);
  }
}

IncomingMessage::Ptr ChannelCore::HandOut(IncomingMessage::Ptr message) {
  if (message->is_request()) message->reply_channel() = shared_from_this();
  return message;
}

absl::Status ChannelCore::CheckRoomToWait() const {
  if (waiting_.size() <= max_waiting_messages_ && waiting_bytes_ <= max_heap_bytes_) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      waiting_.size(), " messages of ", waiting_bytes_,
      " bytes came before the answer and wait to be received; call Receive before the next Request, or raise "
      "StructuredChannelOptions::max_waiting_messages or max_heap_message_bytes"));
}

void ChannelCore::CountLateAnswer(const IncomingMessage& answer) {
  if (late_answers_.fetch_add(1, std::memory_order_relaxed) != 0) return;  // A counter alone.
  Log(LogLevel::kWarning, absl::StrCat("an answer to request ", answer.in_reply_to(),
                                       " came after its deadline, or is not the first; it is dropped. Further ones on "
                                       "this channel are only counted"));
}

absl::Status ChannelCore::LookForSchema() {
  if (peer_checked_.load(std::memory_order_relaxed)) return absl::OkStatus();  // Written under this turn.
  bool got_record;
  // Nothing but a schema comes out of the first record. The end of the pipe is reported by whoever sends or receives.
  TryNext(&got_record).IgnoreError();
  return EndStatus();
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Next(Deadline deadline) {
  uint32_t records = 0;
  while (true) {
    bool got_record;
    SLUICE_ASSIGN_OR_RETURN(IncomingMessage::Ptr message, TryNext(&got_record));
    if (message != nullptr) return message;
    if (!got_record) {
      SLUICE_RETURN_IF_ERROR(pipe_->WaitToReceive(deadline));
    } else if (++records % kRecordsPerClock == 0 && deadline.HasPassed()) {
      return absl::DeadlineExceededError("the peer's message was not complete by the deadline");
    }
  }
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::TryNext(bool* got_record) {
  *got_record = false;
  SLUICE_RETURN_IF_ERROR(EndStatus());
  const size_t capacity = pipe_->max_message_bytes();
  if (ABSL_PREDICT_FALSE(record_ == nullptr)) record_.reset(new std::byte[capacity]);
  SLUICE_ASSIGN_OR_RETURN(const std::optional<size_t> bytes,
                          pipe_->TryReceive(absl::MakeSpan(record_.get(), capacity), &descriptors_));
  if (!bytes.has_value()) return IncomingMessage::Ptr();
  *got_record = true;
  absl::StatusOr<IncomingMessage::Ptr> message = Handle(absl::MakeConstSpan(record_.get(), *bytes));
  descriptors_.clear();  // Those that nobody claimed.
  if (message.ok() || !absl::IsDataLoss(message.status())) return message;
  const absl::Status status = Break(message.status());
  pipe_->Close();
  return status;
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::Handle(absl::Span<const std::byte> bytes) {
  SLUICE_ASSIGN_OR_RETURN(const Record record, ParseRecord(bytes, descriptors_.size()));
  if (const auto* schema = std::get_if<SchemaRecord>(&record)) {
    SLUICE_RETURN_IF_ERROR(HandleSchema(*schema));
    return IncomingMessage::Ptr();
  }
  if (ABSL_PREDICT_FALSE(!peer_checked_.load(std::memory_order_relaxed))) {  // Written under this turn.
    return absl::DataLossError("the peer's first record does not say which type it speaks");
  }
  if (const auto* fragment = std::get_if<FragmentRecord>(&record)) return HandleFragment(*fragment);
  const auto& message = std::get<MessageRecord>(record);
  joiner_.Abandon();
  SLUICE_RETURN_IF_ERROR(CheckIds(message));
  if (!message.is_stored) SLUICE_RETURN_IF_ERROR(joiner_.CheckSize(bytes.size()));
  SLUICE_ASSIGN_OR_RETURN(std::unique_ptr<BorrowedSegments> borrowed, Borrow(message));
  return IncomingMessage::Copy(message, std::move(borrowed), std::exchange(descriptors_, {}));
}

absl::Status ChannelCore::HandleSchema(const SchemaRecord& schema) {
  if (peer_checked_.load(std::memory_order_relaxed)) {  // Written under this turn.
    return absl::DataLossError("the peer said twice which type it speaks");
  }
  if (absl::Status status = CheckPeer(schema_, schema); !status.ok()) return Break(status);
  peer_checked_.store(true, std::memory_order_release);  // Pairs with `SendMessage`.
  return absl::OkStatus();
}

absl::StatusOr<IncomingMessage::Ptr> ChannelCore::HandleFragment(const FragmentRecord& fragment) {
  SLUICE_ASSIGN_OR_RETURN(const bool is_complete, joiner_.Add(fragment));
  if (!is_complete) return IncomingMessage::Ptr();
  const size_t total = joiner_.total();
  HeapBytes bytes = joiner_.Take();
  SLUICE_ASSIGN_OR_RETURN(const MessageRecord message, ParseMessage(bytes.first(total), descriptors_.size()));
  if (message.id != fragment.id) {
    return absl::DataLossError(absl::StrCat("the peer sent message ", message.id, " as fragments of ", fragment.id));
  }
  SLUICE_RETURN_IF_ERROR(CheckIds(message));
  SLUICE_ASSIGN_OR_RETURN(std::unique_ptr<BorrowedSegments> borrowed, Borrow(message));
  return IncomingMessage::Adopt(std::move(bytes), message, std::move(borrowed), std::exchange(descriptors_, {}));
}

absl::Status ChannelCore::CheckIds(const MessageRecord& message) {
  if (message.id <= last_id_) {
    return absl::DataLossError(absl::StrCat("the peer sent message ", message.id, " after ", last_id_));
  }
  const uint64_t next_id = next_id_.load(std::memory_order_relaxed);
  if (message.in_reply_to >= next_id) {
    return absl::DataLossError(absl::StrCat("the peer answered message ", message.in_reply_to, " before it was sent; ",
                                            next_id, " would be the next"));
  }
  last_id_ = message.id;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BorrowedSegments>> ChannelCore::Borrow(const MessageRecord& message) {
  if (!message.is_stored) return nullptr;
  if (store_ == nullptr) {
    return Break(absl::FailedPreconditionError(
        "the peer sends its messages in shared memory, this side has a channel without; upgrade both ends with their "
        "sessions"));
  }
  return store_->Borrow(message.loan, message.addresses);
}

void ChannelCore::Drain() {
  waiting_.clear();
  waiting_bytes_ = 0;
  // Loans come back with the messages that carry them; there is nothing else to give back.
  if (store_ == nullptr) return;
  const size_t capacity = pipe_->max_message_bytes();
  if (record_ == nullptr) record_.reset(new std::byte[capacity]);
  const Deadline deadline(kDrainTime);
  for (int records = 0; records < kMaxDrainedRecords && !deadline.HasPassed(); ++records) {
    const auto bytes = pipe_->TryReceive(absl::MakeSpan(record_.get(), capacity), &descriptors_);
    if (!bytes.ok() || !bytes->has_value()) return;
    const absl::Status status = Handle(absl::MakeConstSpan(record_.get(), **bytes)).status();
    descriptors_.clear();
    if (absl::IsDataLoss(status)) return;
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
