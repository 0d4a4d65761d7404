// A message queue of Boost.Interprocess without its exceptions: the one place that knows Boost.

#ifndef SLUICE_IPC_TRANSPORT_BOOST_MQ_PIPE_QUEUE_H_
#define SLUICE_IPC_TRANSPORT_BOOST_MQ_PIPE_QUEUE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Any thread. Calls that take the queue's lock wait for it for three seconds at most: UNAVAILABLE (kSilent) then, the
// process that holds it was killed or stopped.
class BoostQueue {
 public:
  // Makes a queue with a name in /dev/shm, open to this user alone. Removes the names of makers that died.
  // RESOURCE_EXHAUSTED: no memory or descriptor.
  static absl::StatusOr<std::unique_ptr<BoostQueue>> Create(size_t message_bytes, size_t messages);

  // The queue of that name. UNAVAILABLE: there is none. PERMISSION_DENIED: it is another user's.
  static absl::StatusOr<std::unique_ptr<BoostQueue>> Open(const std::string& name);

  // Removes the name, if this made it.
  ~BoostQueue();

  const std::string& name() const { return name_; }
  // Once whoever needs the name has opened it.
  void RemoveName();

  size_t message_bytes() const;
  size_t messages() const;

  // How many are in it.
  absl::StatusOr<size_t> Count() const;

  // False: it is full.
  absl::StatusOr<bool> TrySend(absl::Span<const std::byte> message);

  // The next message into `buffer`, which has `message_bytes()`; returns its size. nullopt: there is none.
  absl::StatusOr<std::optional<size_t>> TryReceive(absl::Span<std::byte> buffer);

 private:
  struct Queue;

  BoostQueue(std::string name, bool owns_name, std::unique_ptr<Queue> queue);

  const std::string name_;
  bool owns_name_;
  const std::unique_ptr<Queue> queue_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_BOOST_MQ_PIPE_QUEUE_H_
