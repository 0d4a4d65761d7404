#include "ipc_transport/socket_pipe.h"

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/internal/epoll.h"
#include "ipc_transport/internal/frame_socket.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/peer_gone.h"
#include "ipc_transport/internal/socket_frames.h"
#include "ipc_transport/internal/socket_handshake.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

namespace os = internal::os;
using internal::MutexLock;
using internal::SocketHandshake;

constexpr size_t kMaxMessageBytes = 128 * 1024;

absl::Status CheckDuration(absl::string_view name, absl::Duration duration) {
  if (duration == absl::ZeroDuration()) return absl::OkStatus();
  if (duration >= absl::Milliseconds(1) && duration <= absl::Hours(24)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is ", absl::FormatDuration(duration), "; give 1 ms to 24 h, or zero"));
}

bool WentWithoutAWord(const absl::Status& end) {
  const Reason reason = ReasonOf(end);
  return reason == Reason::kGone || reason == Reason::kExited || reason == Reason::kKilled;
}

}  // namespace

absl::StatusOr<std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>>> SocketPipe::CreatePair(
    const SocketPipeOptions& options) {
  SLUICE_RETURN_IF_ERROR(Check(options));
  SLUICE_ASSIGN_OR_RETURN(auto sockets, internal::MakePairOfSockets());
  SLUICE_ASSIGN_OR_RETURN(SocketHandshake first_hand, BeginHandshake(std::move(sockets.first), options));
  SLUICE_ASSIGN_OR_RETURN(SocketHandshake second_hand, BeginHandshake(std::move(sockets.second), options));
  SLUICE_RETURN_IF_ERROR(first_hand.Advance().status());
  SLUICE_RETURN_IF_ERROR(second_hand.Run(Deadline::Default()));
  SLUICE_RETURN_IF_ERROR(first_hand.Run(Deadline::Default()));
  SLUICE_ASSIGN_OR_RETURN(auto first, FromHandshake(std::move(first_hand), PidFd()));
  SLUICE_ASSIGN_OR_RETURN(auto second, FromHandshake(std::move(second_hand), PidFd()));
  return std::make_pair(std::move(first), std::move(second));
}

absl::Status SocketPipe::Check(const SocketPipeOptions& options) {
  if (options.max_message_bytes < 1 || options.max_message_bytes > kMaxMessageBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_message_bytes is ", options.max_message_bytes, "; give 1 to ", kMaxMessageBytes));
  }
  SLUICE_RETURN_IF_ERROR(CheckDuration("keep_alive_period", options.keep_alive_period));
  return CheckDuration("idle_timeout", options.idle_timeout);
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketPipe::Connect(absl::string_view path, Deadline deadline,
                                                                const SocketConnectOptions& options) {
  SLUICE_RETURN_IF_ERROR(Check(options.pipe));
  SLUICE_ASSIGN_OR_RETURN(Fd socket, options.wait_for_server
                                         ? internal::ConnectOnceListening(std::string(path), deadline)
                                         : internal::ConnectToListener(std::string(path), deadline));
  absl::StatusOr<PidFd> process = PidFd::OfPeer(socket);
  // Who called listen(2) has ended, and left its socket to a child: a daemon does that.
  if (absl::IsUnavailable(process.status()) || (process.ok() && process->HasEnded())) process = PidFd();
  if (!process.ok()) return process.status();
  SLUICE_ASSIGN_OR_RETURN(SocketHandshake handshake, BeginHandshake(std::move(socket), options.pipe));
  SLUICE_RETURN_IF_ERROR(handshake.Run(deadline));
  return FromHandshake(std::move(handshake), *std::move(process));
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketPipe::FromSocket(Fd socket, const SocketPipeOptions& options,
                                                                   Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(Check(options));
  SLUICE_ASSIGN_OR_RETURN(SocketHandshake handshake, BeginHandshake(std::move(socket), options));
  SLUICE_RETURN_IF_ERROR(handshake.Run(deadline));
  return FromHandshake(std::move(handshake), PidFd());
}

absl::StatusOr<SocketHandshake> SocketPipe::BeginHandshake(Fd socket, const SocketPipeOptions& options) {
  return SocketHandshake::Create(std::move(socket), {.max_message_bytes = options.max_message_bytes,
                                                     .keep_alive_period = options.keep_alive_period,
                                                     .idle_timeout = options.idle_timeout});
}

absl::StatusOr<std::unique_ptr<SocketPipe>> SocketPipe::FromHandshake(SocketHandshake handshake, PidFd process) {
  SLUICE_ASSIGN_OR_RETURN(const Credentials peer, PeerCredentials(handshake.socket()));
  SLUICE_ASSIGN_OR_RETURN(auto frames, internal::FrameSocket::Create(std::move(handshake)));
  return std::unique_ptr<SocketPipe>(new SocketPipe(std::move(frames), peer, std::move(process)));
}

SocketPipe::SocketPipe(std::unique_ptr<internal::FrameSocket> frames, const Credentials& peer, PidFd process)
    : BufferedPipe(frames->max_message_bytes(), internal::kMaxDescriptors),
      frames_(std::move(frames)),
      peer_(peer),
      process_(std::move(process)) {}

SocketPipe::~SocketPipe() { Close(); }

absl::StatusOr<bool> SocketPipe::SendMessage(absl::Span<const Blob> parts, size_t bytes,
                                             absl::Span<const FdView> descriptors) {
  const absl::StatusOr<bool> sent = frames_->SendMessage(parts, bytes, descriptors);
  refused_descriptors_ = sent.ok() && !*sent && !descriptors.empty();
  if (!sent.ok() || !*sent) SLUICE_RETURN_IF_ERROR(WhyNotSent(sent.status()));
  return sent;
}

absl::StatusOr<size_t> SocketPipe::SendMessages(absl::Span<const Blob> messages) {
  const absl::StatusOr<size_t> sent = frames_->SendMessages(messages);
  refused_descriptors_ = false;
  if (!sent.ok() || (*sent == 0 && !messages.empty())) SLUICE_RETURN_IF_ERROR(WhyNotSent(sent.status()));
  return sent;
}

absl::Status SocketPipe::WhyNotSent(const absl::Status& status) {
  if (status.ok()) return process_.HasEnded() ? End(internal::PeerGone()) : absl::OkStatus();
  if (!absl::IsUnavailable(status)) return status;
  // The peer may have said why.
  absl::Status notice;
  {
    MutexLock lock(receive_mutex_);
    notice = frames_->ReadNotices();
  }
  return End(notice.ok() ? internal::PeerGone() : notice);
}

absl::StatusOr<std::optional<size_t>> SocketPipe::ReceiveMessage(absl::Span<std::byte> buffer,
                                                                 absl::Span<std::byte> overflow,
                                                                 std::vector<Fd>* descriptors) {
  if (frames_->has_rest()) frames_->Flush().IgnoreError();  // An error shows here, too.
  // Death first: what the process sent before it died is in the socket by then.
  for (bool died = false;; died = true) {
    absl::StatusOr<std::optional<size_t>> received;
    {
      MutexLock lock(receive_mutex_);
      received = frames_->Receive(buffer, overflow, descriptors);
    }
    if (!received.ok()) return End(received.status());
    if (received->has_value()) return received;
    if (died) return End(internal::PeerGone());
    if (!process_.HasEnded()) return received;
  }
}

absl::StatusOr<size_t> SocketPipe::ReceiveMessages(absl::Span<std::byte> buffer, absl::Span<ReceivedMessage> messages,
                                                   std::vector<Fd>* descriptors) {
  if (frames_->has_rest()) frames_->Flush().IgnoreError();
  for (bool died = false;; died = true) {
    internal::FrameBatch batch;
    {
      MutexLock lock(receive_mutex_);
      batch = frames_->ReceiveBatch(buffer, messages, descriptors);
    }
    if (!batch.end.ok()) {
      const absl::Status end = End(batch.end);
      if (batch.messages == 0) return end;
      EndReceiving(end);
    }
    if (batch.messages > 0) return batch.messages;
    if (died) return End(internal::PeerGone());
    if (!process_.HasEnded()) return size_t{0};
  }
}

absl::Status SocketPipe::End(const absl::Status& status) {
  if (absl::IsOutOfRange(status)) return status;  // The end of one direction.
  if (is_closed()) return internal::ClosedHere();
  const bool is_news = !has_ended_.load(std::memory_order_relaxed);
  const absl::Status why = is_news && ReasonOf(status) == Reason::kGone ? Gone() : status;
  MutexLock lock(end_mutex_);
  if (end_.ok()) frames_->Shutdown();
  if (end_.ok() || (WentWithoutAWord(end_) && !WentWithoutAWord(why))) end_ = why;  // The peer's own word counts more.
  has_ended_.store(true, std::memory_order_relaxed);
  return end_;
}

absl::Status SocketPipe::Gone() const { return internal::HowPeerWent(process_); }

absl::Status SocketPipe::WaitFor(Waitable waitable, internal::Spinner& spinner, internal::DirectionStats& stats,
                                 Deadline deadline) {
  std::array<pollfd, 2> fds = {{{.fd = waitable.fd.get(), .events = waitable.events, .revents = 0},
                                {.fd = process_.fd().get(), .events = POLLIN, .revents = 0}}};
  const nfds_t count = process_.valid() ? 2 : 1;
  int ready = 0;
  const auto is_ready = [&] {
    const timespec now = {};
    ready = os::Poll(fds.data(), count, &now);
    return ready != 0;
  };
  const Deadline until = Earlier(deadline, NextTimer());
  if (spinner.Spin(wait_mode(), until, is_ready, [] {})) {
    stats.CountSpin();
  } else {
    stats.CountSleep();
    timespec storage;
    ready = os::Poll(fds.data(), count, until.ToPollTimeout(&storage));
  }
  // An error or hang-up is worth an attempt too: it reports the end. So is an interrupted wait.
  if (ready > 0 || is_closed()) return absl::OkStatus();
  if (NextTimer().HasPassed() && !RunTimer().ok()) return absl::OkStatus();
  return deadline.HasPassed() ? internal::NothingCame() : absl::OkStatus();
}

absl::Status SocketPipe::WaitForRoom(Deadline deadline) {
  if (frames_->has_rest()) frames_->Flush().IgnoreError();
  if (!refused_descriptors_) {
    return WaitFor({.fd = frames_->socket(), .events = POLLOUT}, send_spinner_, send_stats(), deadline);
  }
  const absl::Status status = WaitFor({.fd = frames_->socket(), .events = 0}, send_spinner_, send_stats(),
                                      Earlier(deadline, internal::kInFlightTick));
  return deadline.HasPassed() ? status : absl::OkStatus();
}

absl::Status SocketPipe::WaitForMessage(Deadline deadline) {
  if (frames_->has_rest()) frames_->Flush().IgnoreError();
  {
    MutexLock lock(receive_mutex_);
    if (frames_->has_read_ahead()) return absl::OkStatus();
  }
  return WaitFor({.fd = frames_->receive_event(), .events = POLLIN}, receive_spinner_, receive_stats(), deadline);
}

absl::StatusOr<Waitable> SocketPipe::SendWaitable() {
  return WithProcess({.fd = frames_->socket(), .events = POLLOUT}, send_events_);
}

absl::StatusOr<Waitable> SocketPipe::ReceiveWaitable() {
  return WithProcess({.fd = frames_->receive_event(), .events = POLLIN}, receive_events_);
}

absl::StatusOr<Waitable> SocketPipe::WithProcess(Waitable waitable, Fd& epoll) {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  if (!process_.valid()) return waitable;
  if (!epoll.valid()) {
    SLUICE_ASSIGN_OR_RETURN(Fd made, internal::MakeEpoll());
    SLUICE_RETURN_IF_ERROR(internal::Watch(made, waitable.fd, static_cast<uint32_t>(waitable.events)));
    SLUICE_RETURN_IF_ERROR(internal::Watch(made, process_.fd(), EPOLLIN));
    epoll = std::move(made);
  }
  return Waitable{.fd = epoll, .events = POLLIN};
}

Deadline SocketPipe::NextTimer() const {
  return is_closed() || has_ended_.load(std::memory_order_relaxed) ? Deadline::Never() : frames_->keep_alive().Next();
}

absl::Status SocketPipe::RunTimer() {
  SLUICE_RETURN_IF_ERROR(fork_guard().Check());
  if (is_closed()) return internal::ClosedHere();
  {
    MutexLock lock(end_mutex_);
    if (!end_.ok()) return end_;
  }
  internal::KeepAlive& keep_alive = frames_->keep_alive();
  if (keep_alive.speak_at().HasPassed()) frames_->SendKeepAlive();
  if (!keep_alive.silent_at().HasPassed()) return absl::OkStatus();
  {
    MutexLock lock(receive_mutex_);
    const absl::Status notice = frames_->ReadNotices();
    // What the peer sent before it went is received first.
    if (frames_->HasUnread()) keep_alive.Heard();
    if (notice.ok() && !keep_alive.silent_at().HasPassed()) return absl::OkStatus();
    if (!notice.ok()) return End(notice);
  }
  return End(WithReason(
      absl::UnavailableError(absl::StrCat("the peer was silent for ", absl::FormatDuration(keep_alive.idle_timeout()))),
      Reason::kSilent));
}

absl::Status SocketPipe::SendFinish() {
  const absl::StatusOr<bool> sent = frames_->SendLast(internal::FrameType::kFinish);
  if (!sent.ok()) return WhyNotSent(sent.status());
  if (!*sent) return absl::ResourceExhaustedError("no room in the socket to finish; raise net.core.wmem_max");
  return absl::OkStatus();
}

void SocketPipe::Shut() {
  frames_->SendLast(internal::FrameType::kGoodbye).IgnoreError();  // No room: the end of the socket tells.
  frames_->Shutdown();
}

}  // namespace sluice_0
}  // namespace ipc
