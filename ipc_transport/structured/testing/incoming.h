// Received messages without a pipe.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_INCOMING_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_INCOMING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/record.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// What matters of a message to whoever files it.
struct IncomingOptions {
  uint64_t in_reply_to = 0;
  bool more_follow = false;
  std::vector<uint64_t> words = {0};  // Its one segment, whose root is the first.
};

inline ipc::internal::IncomingMessage::Ptr NewIncoming(uint64_t id, const IncomingOptions& options = {}) {
  ipc::internal::MessageRecord record;
  record.id = id;
  record.in_reply_to = options.in_reply_to;
  record.more_follow = options.more_follow;
  record.inline_segment = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(options.words.data()),
                                              options.words.size() * sizeof(uint64_t));
  return *ipc::internal::IncomingMessage::Copy(record, nullptr, {});
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_INCOMING_H_
