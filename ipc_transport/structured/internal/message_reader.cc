#include "ipc_transport/structured/internal/message_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "ipc_transport/structured/internal/heap_bytes.h"
#include "ipc_transport/structured/internal/schema_judge.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// A message that cannot be taken ends nothing; another error does.
absl::StatusOr<Arrival> DroppedOr(const absl::Status& status, uint64_t in_reply_to, uint64_t request) {
  if (!absl::IsResourceExhausted(status)) return status;
  return DroppedMessage{.why = status, .in_reply_to = in_reply_to, .request = request};
}

absl::StatusOr<Arrival> DroppedOr(const absl::Status& status, const MessageRecord& message) {
  return DroppedOr(status, message.in_reply_to, message.is_request ? message.id : 0);
}

}  // namespace

absl::StatusOr<std::optional<Arrival>> MessageReader::TryRead() {
  const size_t capacity = pipe_->max_message_bytes();
  if (ABSL_PREDICT_FALSE(record_ == nullptr)) record_.reset(new std::byte[capacity]);
  SLUICE_ASSIGN_OR_RETURN(const std::optional<size_t> bytes,
                          pipe_->TryReceive(absl::MakeSpan(record_.get(), capacity), &descriptors_));
  if (!bytes.has_value()) return std::nullopt;
  absl::StatusOr<Arrival> arrival = Handle(absl::MakeConstSpan(record_.get(), *bytes));
  descriptors_.clear();  // Those that nobody claimed.
  if (!arrival.ok()) return arrival.status();
  return std::optional<Arrival>(*std::move(arrival));
}

absl::StatusOr<Arrival> MessageReader::Handle(absl::Span<const std::byte> bytes) {
  if (ABSL_PREDICT_TRUE(IsMessage(bytes) && peer_checked())) {
    MessageRecord message;
    SLUICE_RETURN_IF_ERROR(ParseMessage(bytes, descriptors_.size(), message));
    return HandleMessage(message, bytes);
  }
  SLUICE_ASSIGN_OR_RETURN(const Record record, ParseRecord(bytes, descriptors_.size()));
  if (const auto* schema = std::get_if<SchemaRecord>(&record)) {
    SLUICE_RETURN_IF_ERROR(HandleSchema(*schema));
    return Arrival();
  }
  if (!peer_checked()) {
    return absl::DataLossError("the peer's first record does not say which type it speaks");
  }
  if (const auto* nodes = std::get_if<NodesRecord>(&record)) {
    SLUICE_RETURN_IF_ERROR(HandleNodes(*nodes));
    return Arrival();
  }
  if (const auto* credit = std::get_if<CreditRecord>(&record)) return Arrival(*credit);
  if (const auto* unwanted = std::get_if<UnwantedRecord>(&record)) return Arrival(*unwanted);
  if (const auto* no_answer = std::get_if<NoAnswerRecord>(&record)) return Arrival(*no_answer);
  return HandleFragment(std::get<FragmentRecord>(record));
}

absl::StatusOr<Arrival> MessageReader::HandleMessage(const MessageRecord& message, absl::Span<const std::byte> record) {
  joiner_.Abandon();
  SLUICE_RETURN_IF_ERROR(CheckIds(message));
  if (!message.is_stored) {
    if (absl::Status status = joiner_.CheckSize(record.size()); !status.ok()) return DroppedOr(status, message);
  }
  auto borrowed = Borrow(message);
  if (!borrowed.ok()) return DroppedOr(borrowed.status(), message);
  auto copy = IncomingMessage::Copy(message, *std::move(borrowed), std::exchange(descriptors_, {}), options_);
  if (!copy.ok()) return DroppedOr(copy.status(), message);
  return Arrival(*std::move(copy));
}

absl::Status MessageReader::HandleSchema(const SchemaRecord& schema) {
  if (peer_checked()) return absl::DataLossError("the peer said twice which type it speaks");
  SLUICE_RETURN_IF_ERROR(CheckPeerType(schema_, schema));
  if (schema.layout_hash != schema_.layout_hash) {
    judged_ = {.schema = schema, .name = std::string(schema.name), .nodes = {}};
    judged_->schema.name = {};
  }
  peer_credit_ = schema.credit;
  return absl::OkStatus();
}

absl::Status MessageReader::HandleNodes(const NodesRecord& nodes) {
  if (!is_judging()) return absl::DataLossError("the peer sent the nodes of a schema that nobody asked for");
  std::vector<std::byte>& all = judged_->nodes;
  if (nodes.bytes.size() > nodes.total - std::min(all.size(), nodes.total)) {
    return absl::DataLossError(
        absl::StrCat("the peer sent ", all.size() + nodes.bytes.size(), " bytes of a schema of ", nodes.total));
  }
  all.insert(all.end(), nodes.bytes.begin(), nodes.bytes.end());
  if (all.size() < nodes.total) return absl::OkStatus();
  SchemaRecord peer = judged_->schema;
  peer.name = judged_->name;
  SLUICE_RETURN_IF_ERROR(JudgeSchemas(schema_, peer, all));
  judged_.reset();
  return absl::OkStatus();
}

absl::StatusOr<Arrival> MessageReader::HandleFragment(const FragmentRecord& fragment) {
  if (fragment.offset == 0) joined_ = BeginningOf(fragment.bytes);
  const absl::StatusOr<bool> is_complete = joiner_.Add(fragment);
  if (!is_complete.ok()) {
    const bool is_request = (joined_.flags & kRequestFlag) != 0;
    return DroppedOr(is_complete.status(), joined_.in_reply_to, is_request ? joined_.id : 0);
  }
  if (!*is_complete) return Arrival();
  const size_t total = joiner_.total();
  HeapBytes bytes = joiner_.Take();
  MessageRecord message;
  SLUICE_RETURN_IF_ERROR(ParseMessage(bytes.first(total), descriptors_.size(), message));
  if (message.id != fragment.id) {
    return absl::DataLossError(absl::StrCat("the peer sent message ", message.id, " as fragments of ", fragment.id));
  }
  SLUICE_RETURN_IF_ERROR(CheckIds(message));
  auto borrowed = Borrow(message);
  if (!borrowed.ok()) return DroppedOr(borrowed.status(), message);
  auto whole = IncomingMessage::Adopt(std::move(bytes), message, *std::move(borrowed), std::exchange(descriptors_, {}),
                                      options_);
  if (!whole.ok()) return DroppedOr(whole.status(), message);
  return Arrival(*std::move(whole));
}

MessageHeader MessageReader::BeginningOf(absl::Span<const std::byte> bytes) const {
  MessageHeader header = {};
  if (bytes.size() < sizeof(header)) return header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header.in_reply_to < next_own_id_.load(std::memory_order_relaxed) ? header : MessageHeader{};
}

absl::Status MessageReader::CheckIds(const MessageRecord& message) {
  if (message.id <= last_id_) {
    return absl::DataLossError(absl::StrCat("the peer sent message ", message.id, " after ", last_id_));
  }
  const uint64_t next_id = next_own_id_.load(std::memory_order_relaxed);
  if (message.in_reply_to >= next_id) {
    return absl::DataLossError(absl::StrCat("the peer answered message ", message.in_reply_to, " before it was sent; ",
                                            next_id, " would be the next"));
  }
  last_id_ = message.id;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BorrowedSegments>> MessageReader::Borrow(const MessageRecord& message) {
  if (!message.is_stored) return nullptr;
  if (store_ == nullptr) {
    return absl::FailedPreconditionError(
        "the peer sends its messages in shared memory, this side has a channel without; upgrade both ends with their "
        "sessions");
  }
  return store_->Borrow(message.loan, message.addresses);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
