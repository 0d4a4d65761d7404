#include "examples/event_loop/peer.h"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "examples/event_loop/service.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"

namespace event_loop {
namespace {

constexpr absl::string_view kRole = "peer";
constexpr absl::string_view kCrash = "crash";

// The loop's timer has ticked so often before the peer finishes.
constexpr uint64_t kTicksToSee = 3;

struct SocketPair {
  ipc::Fd here;
  ipc::Fd there;
};

absl::StatusOr<SocketPair> MakeSocketPair() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ipc::FromErrno(errno, "make a pair of sockets");
  }
  return SocketPair{.here = ipc::Fd(sockets[0]), .there = ipc::Fd(sockets[1])};
}

// Starts this program with the two sockets, whose numbers it gets as arguments.
absl::StatusOr<pid_t> StartProcess(ipc::FdView ring, ipc::FdView socket, bool crashes) {
  std::string arguments[] = {"event_loop", std::string(kRole), absl::StrCat(ring.get()), absl::StrCat(socket.get()),
                             crashes ? std::string(kCrash) : ""};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), arguments[4].data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // From a number to itself: what is close-on-exec here stays open there.
  posix_spawn_file_actions_adddup2(&actions, ring.get(), ring.get());
  posix_spawn_file_actions_adddup2(&actions, socket.get(), socket.get());
  pid_t pid;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ipc::FromErrno(error, "start the peer");
  return pid;
}

absl::StatusOr<Peer> Connect(ipc::Fd ring, ipc::Fd socket) {
  absl::StatusOr<std::unique_ptr<ipc::RingPipe>> ring_pipe = ipc::RingPipe::FromSocket(std::move(ring));
  if (!ring_pipe.ok()) return ring_pipe.status();
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> socket_pipe = ipc::SocketPipe::FromSocket(std::move(socket));
  if (!socket_pipe.ok()) return socket_pipe.status();
  return Peer{.ring = ipc::Channel(*std::move(ring_pipe)), .socket = ipc::Channel(*std::move(socket_pipe))};
}

// One channel, with the count of what it was asked and what it answered.
class Asker {
 public:
  explicit Asker(ipc::Channel channel) : channel_(std::move(channel)) {}

  uint64_t answered() const { return answered_; }

  // Sends as many requests as find room.
  absl::Status AskUntilRefused() {
    while (true) {
      const absl::StatusOr<bool> sent = channel_.TrySend(NextRequest());
      if (!sent.ok()) return sent.status();
      if (!*sent) return absl::OkStatus();
      ++request_.number;
    }
  }

  absl::StatusOr<Figures> Ask() {
    if (absl::Status sent = channel_.Send(NextRequest()); !sent.ok()) return sent;
    ++request_.number;
    return ReadAnswer();
  }

  absl::Status ReadAllAnswers() {
    while (answered_ < request_.number) {
      if (absl::StatusOr<Figures> figures = ReadAnswer(); !figures.ok()) return figures.status();
    }
    return absl::OkStatus();
  }

  // Nothing more is asked, and nothing more is answered.
  absl::Status Finish() {
    if (absl::Status finished = channel_.FinishSending(); !finished.ok()) return finished;
    const absl::StatusOr<Figures> end = ReadAnswer();
    if (end.ok()) return absl::DataLossError("an answer too many");
    return absl::IsOutOfRange(end.status()) ? absl::OkStatus() : end.status();
  }

 private:
  ipc::Blob NextRequest() const { return {reinterpret_cast<const std::byte*>(&request_), sizeof(request_)}; }

  absl::StatusOr<Figures> ReadAnswer() {
    std::array<std::byte, kAnswerBytes> buffer;
    const absl::StatusOr<size_t> bytes = channel_.Receive(absl::MakeSpan(buffer));
    if (!bytes.ok()) return bytes.status();
    Answer answer;
    std::memcpy(&answer, buffer.data(), sizeof(answer));
    if (*bytes != kAnswerBytes || answer.number != answered_) {
      return absl::DataLossError(absl::StrCat("answer ", answered_, " was to come"));
    }
    ++answered_;
    return answer.figures;
  }

  ipc::Channel channel_;
  Request request_;  // The next.
  uint64_t answered_ = 0;
};

// Reads no answers on one channel until the loop has no room for them; meanwhile it answers on the other.
absl::Status Fill(Asker& full, Asker& other) {
  while (true) {
    if (absl::Status asked = full.AskUntilRefused(); !asked.ok()) return asked;
    const absl::StatusOr<Figures> figures = other.Ask();
    if (!figures.ok()) return figures.status();
    if (figures->full_channels == 1) return absl::OkStatus();
  }
}

absl::Status WaitForTicks(Asker& asker) {
  while (true) {
    const absl::StatusOr<Figures> figures = asker.Ask();
    if (!figures.ok()) return figures.status();
    if (figures->ticks >= kTicksToSee) return absl::OkStatus();
  }
}

absl::Status AskEverything(Asker& ring, Asker& socket, bool crashes) {
  if (absl::Status filled = Fill(ring, socket); !filled.ok()) return filled;
  if (crashes) raise(SIGKILL);
  if (absl::Status read = ring.ReadAllAnswers(); !read.ok()) return read;
  if (absl::Status filled = Fill(socket, ring); !filled.ok()) return filled;
  if (absl::Status read = socket.ReadAllAnswers(); !read.ok()) return read;
  if (absl::Status ticked = WaitForTicks(ring); !ticked.ok()) return ticked;
  if (absl::Status finished = ring.Finish(); !finished.ok()) return finished;
  return socket.Finish();
}

}  // namespace

absl::StatusOr<Peer> StartPeer(bool crashes) {
  absl::StatusOr<SocketPair> ring = MakeSocketPair();
  if (!ring.ok()) return ring.status();
  absl::StatusOr<SocketPair> socket = MakeSocketPair();
  if (!socket.ok()) return socket.status();
  const absl::StatusOr<pid_t> pid = StartProcess(ring->there, socket->there, crashes);
  if (!pid.ok()) return pid.status();
  // A copy of its ends here would keep its death from us.
  ring->there.Close();
  socket->there.Close();
  absl::StatusOr<Peer> peer = Connect(std::move(ring->here), std::move(socket->here));
  if (peer.ok()) peer->pid = *pid;
  return peer;
}

bool IsPeer(int argc, char** argv) { return argc == 5 && argv[1] == kRole; }

int RunPeer(int /*argc*/, char** argv) {
  absl::StatusOr<Peer> loop = Connect(ipc::Fd(std::atoi(argv[2])), ipc::Fd(std::atoi(argv[3])));
  absl::Status status = loop.status();
  if (loop.ok()) {
    Asker ring(std::move(loop->ring));
    Asker socket(std::move(loop->socket));
    status = AskEverything(ring, socket, argv[4] == kCrash);
    std::cout << "peer: got " << ring.answered() << " answers from the ring and " << socket.answered()
              << " from the socket, in order" << std::endl;
  }
  if (!status.ok()) std::cerr << "peer: " << status << std::endl;
  return status.ok() ? 0 : 1;
}

}  // namespace event_loop
