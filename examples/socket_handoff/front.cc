#include "examples/socket_handoff/front.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <iostream>
#include <iterator>
#include <vector>

#include "absl/strings/match.h"
#include "absl/types/span.h"
#include "examples/socket_handoff/handoff.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/status.h"

namespace socket_handoff {
namespace {

// Clients that were not handed over yet. While it has as many, the others wait in the kernel's queue of the listener.
constexpr size_t kMaxClients = 16;

// What the kernel has for descriptors on their way may be full too, and it does not tell when there is room again.
constexpr absl::Duration kPause = absl::Milliseconds(1);

absl::StatusOr<uint16_t> PortOf(ipc::FdView socket) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ipc::FromErrno(errno, "look at the listener");
  }
  return ntohs(address.sin_port);
}

}  // namespace

absl::StatusOr<Front> Front::Listen(StartWorker start_worker, absl::Duration line_time) {
  ipc::Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  if (!listener.valid() || bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener.get(), /*backlog=*/64) != 0) {
    return ipc::FromErrno(errno, "listen on 127.0.0.1");
  }
  const absl::StatusOr<uint16_t> port = PortOf(listener);
  if (!port.ok()) return port.status();
  Front front(std::move(listener), std::move(start_worker), line_time);
  if (absl::Status started = front.ReplaceWorker(); !started.ok()) return started;
  std::cout << "front: listens on 127.0.0.1:" << *port << std::endl;
  return front;
}

absl::Status Front::Run(ipc::FdView stop) {
  while (true) {
    if (absl::Status handed = HandOver(); !handed.ok()) return handed;
    const absl::StatusOr<bool> stopped = WaitAndRead(stop);
    if (!stopped.ok()) return stopped.status();
    if (*stopped) return absl::OkStatus();
  }
}

bool Front::HasRoom() const { return reading_.size() + ready_.size() < kMaxClients; }

absl::Status Front::ReplaceWorker() {
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> worker = start_worker_();
  if (worker.ok()) worker_ = *std::move(worker);
  return worker.status();
}

absl::Status Front::HandOver() {
  while (!ready_.empty() && !is_refused_) {
    Client& client = ready_.front();
    const ipc::Blob bytes(reinterpret_cast<const std::byte*>(client.bytes.data()), client.bytes.size());
    const absl::StatusOr<bool> sent = worker_->TrySend(bytes, {client.socket.view()});
    if (sent.ok() && !*sent) {
      if (!client.was_refused) std::cout << "front: the worker has no room" << std::endl;
      client.was_refused = true;
      is_refused_ = true;
      pause_ = kPause;
      return absl::OkStatus();
    }
    const size_t size = client.bytes.size();
    if (!sent.ok()) SendAway(client, "SORRY, the worker is gone; try again\n");
    ready_.pop_front();  // Closes our copy of the socket; from here on it is the worker's alone.
    if (sent.ok()) {
      std::cout << "front: handed over a client and " << size << " bytes" << std::endl;
      continue;
    }
    std::cout << "front: lost the worker: " << sent.status().message() << std::endl;
    if (absl::Status started = ReplaceWorker(); !started.ok()) return started;
  }
  return absl::OkStatus();
}

ipc::Deadline Front::NextDeadline() const {
  ipc::Deadline next = ipc::Deadline::Never();
  for (const Client& client : reading_) next = Earlier(next, client.deadline);
  return is_refused_ && !pause_.HasPassed() ? Earlier(next, pause_) : next;
}

absl::StatusOr<bool> Front::WaitAndRead(ipc::FdView stop) {
  const absl::StatusOr<ipc::Waitable> room = worker_->SendWaitable();
  if (!room.ok()) return room.status();
  // Negative numbers are passed over.
  const bool watches_room = is_refused_ && pause_.HasPassed();
  std::vector<pollfd> polls = {{.fd = stop.get(), .events = POLLIN, .revents = 0},
                               {.fd = HasRoom() ? listener_.get() : -1, .events = POLLIN, .revents = 0},
                               {.fd = watches_room ? room->fd.get() : -1, .events = room->events, .revents = 0}};
  const size_t first_client = polls.size();
  for (const Client& client : reading_) polls.push_back({.fd = client.socket.get(), .events = POLLIN, .revents = 0});
  timespec storage;
  if (ppoll(polls.data(), polls.size(), NextDeadline().ToPollTimeout(&storage), nullptr) < 0 && errno != EINTR) {
    return ipc::FromErrno(errno, "wait for clients");
  }
  if (polls[0].revents != 0) return true;
  if (polls[2].revents != 0) is_refused_ = false;
  size_t index = first_client;
  for (auto next = reading_.begin(); next != reading_.end();) {
    const auto client = next++;
    if (polls[index++].revents != 0) Read(*client);
    if (client->state == Client::State::kReading && client->deadline.HasPassed()) {
      SendAway(*client, "SORRY, that took too long\n");
    }
    if (client->state == Client::State::kReady) ready_.splice(ready_.end(), reading_, client);
    if (client->state == Client::State::kDone) reading_.erase(client);
  }
  if (polls[1].revents != 0) Accept();
  return false;
}

void Front::Accept() {
  ipc::Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.valid()) reading_.push_back({.socket = std::move(socket), .deadline = line_time_, .bytes = ""});
}

void Front::Read(Client& client) {
  std::array<char, kMaxFirstBytes> buffer;
  const ssize_t bytes = recv(client.socket.get(), buffer.data(), buffer.size() - client.bytes.size(), MSG_DONTWAIT);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (bytes <= 0) {
    client.state = Client::State::kDone;
    return;
  }
  client.bytes.append(buffer.data(), bytes);
  const size_t line_end = client.bytes.find('\n');
  if (std::min(line_end, client.bytes.size()) >= kMaxLineBytes)
    return SendAway(client, "SORRY, that line is too long\n");
  if (line_end == std::string::npos) return;
  if (!absl::StartsWith(client.bytes, kHello)) return SendAway(client, "SORRY, say HELLO and your name\n");
  client.state = Client::State::kReady;
}

void Front::SendAway(Client& client, absl::string_view why) {
  send(client.socket.get(), why.data(), why.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  shutdown(client.socket.get(), SHUT_WR);
  client.state = Client::State::kDone;
}

}  // namespace socket_handoff
