// Before any header of Boost: a lock whose holder was killed is an error, not a wait for ever.
#define BOOST_INTERPROCESS_ENABLE_TIMEOUT_WHEN_LOCKING
#define BOOST_INTERPROCESS_TIMEOUT_WHEN_LOCKING_DURATION_MS 3000

#include "ipc_transport/boost_mq_pipe_queue.h"

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/mq_names.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

namespace bip = boost::interprocess;

// What `call()` returns; no exception passes.
template <typename Call>
auto Guard(Call call) -> absl::StatusOr<decltype(call())> {
  try {
    return call();
  } catch (const bip::interprocess_exception& error) {
    if (error.get_error_code() == bip::timeout_when_locking_error) {
      return WithReason(absl::UnavailableError("the lock of the queue was held for too long: the peer was killed or "
                                               "stopped inside it"),
                        Reason::kSilent);
    }
    if (error.get_native_error() != 0) return FromErrno(error.get_native_error(), "use a queue of Boost");
    return absl::DataLossError(absl::StrCat("a queue of Boost: ", error.what()));
  } catch (const std::exception& error) {
    return absl::ResourceExhaustedError(absl::StrCat("a queue of Boost: ", error.what()));
  }
}

}  // namespace

struct BoostQueue::Queue {
  template <typename... Arguments>
  explicit Queue(const Arguments&... arguments) : queue(arguments...) {}

  bip::message_queue queue;
};

absl::StatusOr<std::unique_ptr<BoostQueue>> BoostQueue::Create(size_t message_bytes, size_t messages) {
  RemoveMqNamesOfTheDead(kShmFolder);
  std::string name = MqName::Next().ToString();
  SLUICE_ASSIGN_OR_RETURN(auto queue, Guard([&] {
                            return std::make_unique<Queue>(bip::create_only, name.c_str(), messages, message_bytes,
                                                           bip::permissions(0600));
                          }));
  std::unique_ptr<BoostQueue> made(new BoostQueue(std::move(name), /*owns_name=*/true, std::move(queue)));
  os::Point("mq.created");
  return made;
}

absl::StatusOr<std::unique_ptr<BoostQueue>> BoostQueue::Open(const std::string& name) {
  SLUICE_ASSIGN_OR_RETURN(auto queue, Guard([&] { return std::make_unique<Queue>(bip::open_only, name.c_str()); }));
  return std::unique_ptr<BoostQueue>(new BoostQueue(name, /*owns_name=*/false, std::move(queue)));
}

BoostQueue::BoostQueue(std::string name, bool owns_name, std::unique_ptr<Queue> queue)
    : name_(std::move(name)), owns_name_(owns_name), queue_(std::move(queue)) {}

BoostQueue::~BoostQueue() { RemoveName(); }

void BoostQueue::RemoveName() {
  if (std::exchange(owns_name_, false)) bip::message_queue::remove(name_.c_str());
}

size_t BoostQueue::message_bytes() const { return queue_->queue.get_max_msg_size(); }

size_t BoostQueue::messages() const { return queue_->queue.get_max_msg(); }

absl::StatusOr<size_t> BoostQueue::Count() const {
  return Guard([&] { return queue_->queue.get_num_msg(); });
}

absl::StatusOr<bool> BoostQueue::TrySend(absl::Span<const std::byte> message) {
  // Boost copies from it, whatever its size.
  const void* const bytes = message.empty() ? "" : static_cast<const void*>(message.data());
  return Guard([&] { return queue_->queue.try_send(bytes, message.size(), /*priority=*/0); });
}

absl::StatusOr<std::optional<size_t>> BoostQueue::TryReceive(absl::Span<std::byte> buffer) {
  return Guard([&]() -> std::optional<size_t> {
    bip::message_queue::size_type bytes = 0;
    unsigned priority = 0;
    if (!queue_->queue.try_receive(buffer.data(), buffer.size(), bytes, priority)) return std::nullopt;
    return bytes;
  });
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
