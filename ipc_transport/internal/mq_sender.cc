#include "ipc_transport/internal/mq_sender.h"

#include <mqueue.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "ipc_transport/internal/epoll.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Messages of one priority come out in the order in which they went in.
constexpr unsigned kPriority = 0;

// Of the queue: the kernel tells every receipt, where a plain EPOLLOUT would tell of the place that is kept for the
// finish for ever.
constexpr uint32_t kReceipts = EPOLLOUT | EPOLLET;

}  // namespace

absl::StatusOr<MqSender> MqSender::Create(Fd queue, const MqShape& shape, std::shared_ptr<Link> link) {
  SLUICE_ASSIGN_OR_RETURN(Fd events, MakeEpoll());
  MqSender sender(std::move(queue), shape, std::move(link), std::move(events));
  SLUICE_RETURN_IF_ERROR(Watch(sender.events_, sender.queue_, kReceipts));
  SLUICE_RETURN_IF_ERROR(Watch(sender.events_, sender.link_->socket(), EPOLLIN));
  if (sender.link_->peer_fd().valid()) {
    SLUICE_RETURN_IF_ERROR(Watch(sender.events_, sender.link_->peer_fd(), EPOLLIN));
  }
  return sender;
}

MqSender::MqSender(Fd queue, const MqShape& shape, std::shared_ptr<Link> link, Fd events)
    : queue_(std::move(queue)),
      shape_(shape),
      link_(std::move(link)),
      events_(std::move(events)),
      records_(link_, shape.message_bytes) {}

bool MqSender::HasRoom() {
  if (known_room_ > 0) return true;
  mq_attr attributes;
  if (os::MqGetAttr(queue_.get(), &attributes) != 0) return false;
  const size_t for_messages = shape_.messages - 1;
  known_room_ = for_messages - std::min(for_messages, static_cast<size_t>(attributes.mq_curmsgs));
  return known_room_ > 0;
}

absl::StatusOr<bool> MqSender::TrySend(absl::Span<const Blob> parts, size_t bytes,
                                       absl::Span<const FdView> descriptors) {
  link_was_full_ = false;
  if (!HasRoom()) return false;
  SLUICE_ASSIGN_OR_RETURN(const bool sent, records_.SendDescriptors(descriptors));
  link_was_full_ = !sent;
  if (!sent) return false;
  SLUICE_RETURN_IF_ERROR(Put(records_.Assemble(parts, bytes, descriptors.size())));
  return true;
}

absl::Status MqSender::Finish() { return Put(records_.AssembleFinish()); }

absl::Status MqSender::Put(Blob record) {
  const timespec at_once = {};
  while (os::MqTimedSend(queue_.get(), record.data(), record.size(), kPriority, &at_once) != 0) {
    if (errno == EINTR) continue;
    const absl::Status status = errno == ETIMEDOUT || errno == EAGAIN
                                    ? absl::DataLossError("somebody else has filled this side's message queue")
                                    : FromErrno(errno, "send to a message queue");
    link_->End(status);
    return status;
  }
  if (known_room_ > 0) --known_room_;
  return absl::OkStatus();
}

void MqSender::Quiet() {
  std::array<epoll_event, 4> told;
  while (os::EpollWait(events_.get(), told.data(), told.size(), 0) < 0 && errno == EINTR) {
  }
}

void MqSender::Signal() {
  epoll_event event = {.events = kReceipts, .data = {}};
  os::EpollCtl(events_.get(), EPOLL_CTL_MOD, queue_.get(), &event);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
