// Messages of the peer that are no answers and wait for the user.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_INBOX_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_INBOX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_transport/structured/internal/handlers.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/record.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// In the order of sending. Counts what the peer may send: as much as there is room for. Guarded by the channel's mutex.
class Inbox {
 public:
  explicit Inbox(uint64_t capacity) : capacity_(std::max(capacity, kFirstCredit)), granted_(capacity_) {}

  uint64_t capacity() const { return capacity_; }
  bool empty() const { return waiting_.empty(); }
  size_t size() const { return waiting_.size(); }
  // Of this process's own memory.
  uint64_t private_bytes() const { return private_bytes_; }

  // False: the peer had no credit for it. `message`: or why it could not be taken.
  bool Push(absl::StatusOr<IncomingMessage::Ptr> message, std::optional<uint16_t> type) {
    if (++arrived_ > granted_) return false;
    if (message.ok()) {
      private_bytes_ += (*message)->private_bytes();
    } else {
      ++failed_;
    }
    waiting_.push_back({std::move(message), type});
    return true;
  }

  // The first; not empty.
  absl::StatusOr<IncomingMessage::Ptr> Pop() { return Take(waiting_.begin()); }

  // The first that has a handler, and that handler; null: there is none. What could not be taken has none.
  Handlers::Shared PopHandled(Handlers& handlers, IncomingMessage::Ptr& message) {
    const auto found = FindHandled(handlers);
    if (found == waiting_.end()) return nullptr;
    Handlers::Shared handler = handlers.Take(found->type);
    message = *Take(found);
    return handler;
  }
  bool HasHandled(const Handlers& handlers) { return FindHandled(handlers) != waiting_.end(); }

  // Forgets those that could not be taken, for a user with handlers.
  void DropFailed() {
    for (auto it = waiting_.begin(); failed_ != 0;) {
      if (it->message.ok()) {
        ++it;
        continue;
      }
      it = waiting_.erase(it);
      --failed_;
      ++taken_;
    }
  }

  // Whether it is worth telling the peer that it may send more.
  bool OwesCredit() const { return taken_ + capacity_ - granted_ >= capacity_ / 2; }
  // Grants as much as there is room for: how many messages the peer may have sent by then, in all.
  uint64_t Grant() { return granted_ = taken_ + capacity_; }

  void Clear() {
    waiting_.clear();
    private_bytes_ = 0;
    failed_ = 0;
  }

 private:
  struct Waiting {
    absl::StatusOr<IncomingMessage::Ptr> message;
    std::optional<uint16_t> type;
  };

  std::deque<Waiting>::iterator FindHandled(const Handlers& handlers) {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const Waiting& waiting) { return waiting.message.ok() && handlers.Has(waiting.type); });
  }
  absl::StatusOr<IncomingMessage::Ptr> Take(std::deque<Waiting>::iterator waiting) {
    absl::StatusOr<IncomingMessage::Ptr> message = std::move(waiting->message);
    if (message.ok()) {
      private_bytes_ -= (*message)->private_bytes();
    } else {
      --failed_;
    }
    waiting_.erase(waiting);
    ++taken_;
    return message;
  }

  const uint64_t capacity_;
  uint64_t arrived_ = 0;
  uint64_t taken_ = 0;
  uint64_t granted_;  // `arrived_` may come up to here.
  uint64_t private_bytes_ = 0;
  size_t failed_ = 0;  // Of those that wait.
  std::deque<Waiting> waiting_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_INBOX_H_
