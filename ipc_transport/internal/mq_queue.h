// A POSIX message queue without a name: one end to send, one to receive, each opened for its use alone.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_QUEUE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_QUEUE_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// The kernel's own bounds, which nobody can exceed.
inline constexpr size_t kMaxMqMessageBytes = size_t{16} << 20;
inline constexpr size_t kMaxMqMessages = 65536;

struct MqShape {
  size_t message_bytes = 0;  // The largest message.
  size_t messages = 0;       // The most in the queue.
};

struct MqQueue {
  Fd writer;
  Fd reader;
};

// Makes a queue; its name is gone again when this returns, whatever it returns. Removes what makers that died meanwhile
// have left. Only this user can open it.
// RESOURCE_EXHAUSTED: a limit of the system or of the user; the text has its name and value and what to raise.
// FAILED_PRECONDITION: this kernel has no message queues. UNAVAILABLE: somebody removed the name too early.
absl::StatusOr<MqQueue> MakeMqQueue(const MqShape& shape);

// OK: `queue` is a queue of this very shape, opened for receiving alone. DATA_LOSS: it is not.
absl::Status CheckMqReader(FdView queue, const MqShape& shape);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_QUEUE_H_
