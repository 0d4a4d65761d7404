#include "examples/socket_handoff/worker.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "examples/socket_handoff/handoff.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/status.h"

namespace socket_handoff {
namespace {

// While it has as many, the others wait in the pipe, and when that is full, with the front.
constexpr size_t kMaxClients = 64;

// What a client is sent for its first bytes; nullopt if the front has sent something else.
std::optional<std::string> FirstAnswer(absl::string_view bytes) {
  const size_t line_end = bytes.find('\n');
  if (line_end == bytes.npos || bytes.substr(0, kHello.size()) != kHello) return std::nullopt;
  const absl::string_view name = bytes.substr(kHello.size(), line_end - kHello.size());
  return absl::StrCat("WELCOME ", name, "\n", bytes.substr(line_end + 1));
}

}  // namespace

absl::Status Worker::Run() {
  while (true) {
    TakeClients();
    if (!front_end_.ok() && clients_.empty()) break;
    if (absl::Status status = WaitAndServe(); !status.ok()) return status;
    clients_.remove_if([](const Client& client) { return client.is_done; });
  }
  const bool in_order = absl::IsOutOfRange(front_end_) || absl::IsUnavailable(front_end_);
  return in_order ? absl::OkStatus() : front_end_;
}

bool Worker::TakesClients() const { return front_end_.ok() && clients_.size() < kMaxClients; }

void Worker::TakeClients() {
  while (TakesClients()) {
    std::array<char, kMaxFirstBytes> buffer;
    std::vector<ipc::Fd> sockets;
    const absl::StatusOr<std::optional<size_t>> bytes =
        front_->TryReceive(absl::MakeSpan(reinterpret_cast<std::byte*>(buffer.data()), buffer.size()), &sockets);
    if (!bytes.ok()) {
      front_end_ = bytes.status();
      return;
    }
    if (!bytes->has_value()) return;
    std::optional<std::string> answer = FirstAnswer(absl::string_view(buffer.data(), **bytes));
    if (sockets.size() != 1 || !answer.has_value()) continue;  // What came with it is closed.
    clients_.push_back({.socket = std::move(sockets[0]), .unsent = *std::move(answer)});
  }
}

absl::Status Worker::WaitAndServe() {
  std::vector<pollfd> polls;
  for (const Client& client : clients_) {
    polls.push_back({.fd = client.socket.get(),
                     .events = static_cast<short>(client.unsent.empty() ? POLLIN : POLLOUT),
                     .revents = 0});
  }
  if (TakesClients()) {
    const absl::StatusOr<ipc::Waitable> waitable = front_->ReceiveWaitable();
    if (!waitable.ok()) return waitable.status();
    polls.push_back({.fd = waitable->fd.get(), .events = waitable->events, .revents = 0});
  }
  if (poll(polls.data(), polls.size(), /*timeout=*/-1) < 0 && errno != EINTR) {
    return ipc::FromErrno(errno, "wait for clients");
  }
  auto poll = polls.begin();
  for (Client& client : clients_) {
    if ((poll++)->revents != 0) Serve(client);
  }
  return absl::OkStatus();
}

void Worker::Serve(Client& client) {
  if (client.unsent.empty()) {
    std::array<char, 4096> buffer;
    const ssize_t bytes = recv(client.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    client.is_done = bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR);
    if (bytes > 0) client.unsent.assign(buffer.data(), bytes);
  }
  if (client.unsent.empty()) return;
  const ssize_t sent =
      send(client.socket.get(), client.unsent.data(), client.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) client.unsent.erase(0, sent);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) client.is_done = true;
}

}  // namespace socket_handoff
