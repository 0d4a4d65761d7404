#include "ipc_transport/internal/link.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/peer_gone.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

enum class PacketType : uint8_t { kDoorbell = 1, kGoodbye = 2, kDescriptors = 3, kControl = 4 };

constexpr uint8_t kVersion = 1;

// Announces the descriptors that travel with it.
struct DescriptorsPacket {
  PacketType type = PacketType::kDescriptors;
  uint8_t version = kVersion;
  uint8_t count = 0;
  uint8_t reserved = 0;
  uint32_t channel = 0;
  uint64_t record = 0;
};
static_assert(std::is_trivially_copyable_v<DescriptorsPacket> && sizeof(DescriptorsPacket) == 16);

// A peer that sends more without the records that announce them is not worth it; each ring keeps to its own, lower
// bound (RingSender).
constexpr size_t kMaxWaitingDescriptors = 4096;

// The same for control packets: a session's own rules keep an honest peer's far below.
constexpr size_t kMaxWaitingControlBytes = size_t{1} << 20;
size_t Cost(const Link::Control& control) { return sizeof(control) + control.bytes.size(); }

Blob BytesOf(const auto& value) { return Blob(reinterpret_cast<const std::byte*>(&value), sizeof(value)); }

}  // namespace

absl::StatusOr<std::shared_ptr<Link>> Link::Create(Fd socket, PidFd peer) {
  return Create(std::move(socket), std::move(peer), Options());
}

absl::StatusOr<std::shared_ptr<Link>> Link::Create(Fd socket, PidFd peer, const Options& options) {
  Fd interrupt(os::EventFd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!interrupt.valid()) return FromErrno(errno, "make an eventfd");
  return std::shared_ptr<Link>(new Link(std::move(socket), std::move(peer), std::move(interrupt), options));
}

Link::Link(Fd socket, PidFd peer, Fd interrupt, const Options& options)
    : socket_(std::move(socket)),
      peer_(std::make_shared<const PidFd>(std::move(peer))),
      controls_allowed_(options.controls),
      keeps_alive_(options.keep_alive_period > absl::ZeroDuration() || options.idle_timeout > absl::ZeroDuration()),
      keep_alive_(options.keep_alive_period, options.idle_timeout),
      interrupt_(std::move(interrupt)) {}

Link::~Link() { End(absl::CancelledError("the session was closed on this side")); }

void Link::RingDoorbell() {
  const PacketType type = PacketType::kDoorbell;
  const Blob part = BytesOf(type);
  // No room: wake-ups enough are on their way. An error shows at the next receive.
  SendPacket(socket_, absl::MakeConstSpan(&part, 1), {}).IgnoreError();
  keep_alive_.Spoke();
}

absl::StatusOr<bool> Link::SendDescriptors(uint32_t channel, uint64_t record, absl::Span<const FdView> descriptors) {
  const DescriptorsPacket packet = {
      .count = static_cast<uint8_t>(descriptors.size()), .channel = channel, .record = record};
  const Blob part = BytesOf(packet);
  return SendPacket(socket_, absl::MakeConstSpan(&part, 1), descriptors);
}

absl::StatusOr<std::vector<Fd>> Link::TakeDescriptors(uint32_t channel, uint64_t record, size_t count) {
  MutexLock lock(mutex_);
  const auto is_it = [&](const DescriptorBatch& batch) { return batch.channel == channel && batch.record == record; };
  auto batch = std::find_if(batches_.begin(), batches_.end(), is_it);
  if (batch == batches_.end()) {
    PumpLocked();
    batch = std::find_if(batches_.begin(), batches_.end(), is_it);
  }
  if (batch != batches_.end() && batch->descriptors.size() == count) {
    std::vector<Fd> descriptors = std::move(batch->descriptors);
    batches_.erase(batch);
    waiting_descriptors_ -= count;
    return descriptors;
  }
  const absl::Status missing = absl::DataLossError(absl::StrCat(
      "record ", record, " of channel ", channel, " came without the ", count, " descriptors it announces"));
  EndLocked(missing);
  // The link may have ended before, here: closed, or short of descriptors. That is why then.
  return absl::IsUnavailable(end_status_) ? missing : end_status_;
}

absl::StatusOr<bool> Link::SendControl(Blob bytes, absl::Span<const FdView> descriptors) {
  const PacketType type = PacketType::kControl;
  const Blob parts[] = {BytesOf(type), bytes};
  return SendPacket(socket_, parts, descriptors);
}

std::optional<Link::Control> Link::TakeControl() {
  MutexLock lock(mutex_);
  if (controls_.empty()) return std::nullopt;
  Control control = std::move(controls_.front());
  controls_.pop_front();
  waiting_control_bytes_ -= Cost(control);
  return control;
}

void Link::DropDescriptors(uint32_t channel) {
  MutexLock lock(mutex_);
  for (auto batch = batches_.begin(); batch != batches_.end();) {
    if (batch->channel == channel) {
      waiting_descriptors_ -= batch->descriptors.size();
      batch = batches_.erase(batch);
    } else {
      ++batch;
    }
  }
}

absl::Status Link::Wait(uint64_t ticket, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  MutexLock lock(mutex_);
  while (generation_.load(std::memory_order_relaxed) == ticket && !ended_.load(std::memory_order_relaxed)) {
    if (deadline.HasPassed()) return absl::DeadlineExceededError("nothing came from the peer in time");
    if (polling_) {
      advanced_.WaitUntil(mutex_, deadline);
      continue;
    }
    polling_ = true;
    mutex_.Unlock();
    const Deadline wake = Earlier(deadline, keep_alive_.Next());
    std::array<pollfd, 3> fds = {{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                  {.fd = peer_->fd().get(), .events = POLLIN, .revents = 0},
                                  {.fd = interrupt_.get(), .events = POLLIN, .revents = 0}}};
    timespec storage;
    os::Poll(fds.data(), fds.size(), wake.ToPollTimeout(&storage));
    mutex_.Lock();
    polling_ = false;
    if (fds[2].revents != 0) {
      eventfd_t interrupts;
      os::EventFdRead(interrupt_.get(), &interrupts);
    }
    if (fds[1].revents != 0) {
      PumpLocked();
    } else if (fds[0].revents != 0 && ReadPacketLocked()) {
      Advance();  // One packet, and most often the only one: a look for more would cost another call at each wake-up.
    }
    RunTimersLocked();
    advanced_.NotifyAll();  // Whoever still waits polls next.
  }
  return absl::OkStatus();
}

void Link::Interrupt() {
  MutexLock lock(mutex_);
  Advance();
}

void Link::Pump() {
  if (fork_guard_.InForkedChild()) return;
  MutexLock lock(mutex_);
  PumpLocked();
}

void Link::PumpLocked() {
  if (ended_.load(std::memory_order_relaxed)) return;
  // Death first: whatever the peer sent before it died is in the socket by now, and is read before the end is declared.
  const bool died = peer_->HasEnded();
  bool any = false;
  while (ReadPacketLocked()) any = true;
  if (any) Advance();
  if (died) EndByPeerLocked();
  RunTimersLocked();
}

void Link::Passed(bool from_peer) {
  if (from_peer) keep_alive_.Heard();
  if (!keep_alive_.Next().HasPassed()) return;
  Pump();
}

void Link::RunTimersLocked() {
  if (!keeps_alive_ || ended_.load(std::memory_order_relaxed)) return;
  if (keep_alive_.speak_at().HasPassed()) RingDoorbell();  // The peer finds nothing, and knows that this side lives.
  if (!keep_alive_.silent_at().HasPassed()) return;
  bool any = false;
  while (ReadPacketLocked()) any = true;  // It may be this side that did not listen.
  if (any) Advance();
  if (!keep_alive_.silent_at().HasPassed()) return;
  EndLocked(WithReason(absl::UnavailableError(
                           absl::StrCat("the peer was silent for ", absl::FormatDuration(keep_alive_.idle_timeout()))),
                       Reason::kSilent));
}

bool Link::ReadPacketLocked() {
  if (ended_.load(std::memory_order_relaxed)) return false;
  std::array<std::byte, sizeof(PacketType) + kMaxControlBytes> packet;
  static_assert(sizeof(packet) >= sizeof(DescriptorsPacket));
  iovec part = {.iov_base = packet.data(), .iov_len = packet.size()};
  std::vector<Fd> descriptors;
  absl::Status lost_descriptors;
  const absl::StatusOr<ReceivedPacket> received =
      ReceivePacket(socket_, absl::MakeSpan(&part, 1), &descriptors, &lost_descriptors);
  if (!received.ok()) {
    EndLocked(received.status());
    return false;
  }
  switch (received->kind) {
    case ReceivedPacket::Kind::kNone:
      return false;
    case ReceivedPacket::Kind::kEnd:
      EndByPeerLocked();
      return false;
    case ReceivedPacket::Kind::kPacket:
      break;
  }
  keep_alive_.Heard();
  const absl::Status handled = HandlePacketLocked(absl::MakeConstSpan(packet.data(), received->bytes),
                                                  std::move(descriptors), std::move(lost_descriptors));
  if (!handled.ok()) EndLocked(handled);
  return handled.ok();
}

absl::Status Link::HandlePacketLocked(absl::Span<const std::byte> packet, std::vector<Fd> descriptors,
                                      absl::Status lost_descriptors) {
  const auto type = static_cast<PacketType>(packet[0]);
  if (type != PacketType::kControl) SLUICE_RETURN_IF_ERROR(lost_descriptors);
  if (type == PacketType::kDoorbell && packet.size() == sizeof(PacketType) && descriptors.empty()) {
    return absl::OkStatus();
  }
  if (type == PacketType::kGoodbye && packet.size() == sizeof(PacketType) && descriptors.empty()) {
    return WithReason(absl::UnavailableError("the peer said goodbye"), Reason::kGoodbye);
  }
  if (type == PacketType::kDescriptors && packet.size() == sizeof(DescriptorsPacket)) {
    DescriptorsPacket header;
    std::memcpy(&header, packet.data(), sizeof(header));
    if (header.version == kVersion && header.reserved == 0 && header.count == descriptors.size() &&
        !descriptors.empty() && descriptors.size() <= kMaxDescriptors &&
        waiting_descriptors_ + descriptors.size() <= kMaxWaitingDescriptors) {
      waiting_descriptors_ += descriptors.size();
      batches_.push_back({header.channel, header.record, std::move(descriptors)});
      return absl::OkStatus();
    }
  }
  if (type == PacketType::kControl && packet.size() > sizeof(PacketType) && controls_allowed_ == Controls::kAllowed) {
    packet.remove_prefix(sizeof(PacketType));
    Control control = {.bytes = {packet.begin(), packet.end()},
                       .descriptors = std::move(descriptors),
                       .lost_descriptors = std::move(lost_descriptors)};
    waiting_control_bytes_ += Cost(control);
    controls_.push_back(std::move(control));
    if (waiting_control_bytes_ <= kMaxWaitingControlBytes) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("the peer sent ", controls_.size(), " control packets ahead; that cannot be"));
  }
  return absl::DataLossError(absl::StrCat(
      "the peer sent a packet of type ", static_cast<int>(type), ", ", packet.size(), " bytes and ", descriptors.size(),
      " descriptors, with ", waiting_descriptors_, " descriptors still waiting for their records; that cannot be"));
}

void Link::EndByPeerLocked() {
  if (ended_.load(std::memory_order_relaxed)) return;
  mutex_.Unlock();  // What happens on this side need not wait.
  const absl::Status status = HowPeerWent(*peer_);
  mutex_.Lock();
  EndLocked(status);
}

absl::Status Link::end_status() const {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  MutexLock lock(mutex_);
  return end_status_;
}

void Link::End(const absl::Status& status) {
  if (fork_guard_.InForkedChild()) return;
  MutexLock lock(mutex_);
  EndLocked(status);
}

void Link::EndLocked(const absl::Status& status) {
  if (ended_.load(std::memory_order_relaxed)) return;
  end_status_ = status;
  ended_.store(true, std::memory_order_release);  // Pairs with `ended`.
  const PacketType type = PacketType::kGoodbye;
  const Blob part = BytesOf(type);
  SendPacket(socket_, absl::MakeConstSpan(&part, 1), {}).IgnoreError();  // No room: the end of the socket tells.
  os::Shutdown(socket_.get(), SHUT_RDWR);                                // Wakes whoever polls it, here and there.
  Advance();
}

void Link::AddListener(FdView event) {
  MutexLock lock(mutex_);
  listeners_.push_back(event);
}

void Link::RemoveListener(FdView event) {
  if (fork_guard_.InForkedChild()) return;
  MutexLock lock(mutex_);
  std::erase_if(listeners_, [&](FdView listener) { return listener.get() == event.get(); });
}

void Link::Advance() {
  generation_.fetch_add(1, std::memory_order_release);  // Pairs with `Ticket`.
  advanced_.NotifyAll();
  for (const FdView listener : listeners_) os::EventFdWrite(listener.get(), 1);
  // Another thread has read what would have ended the ppoll.
  if (polling_) os::EventFdWrite(interrupt_.get(), 1);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
