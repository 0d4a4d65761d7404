#include "examples/event_loop/program.h"

#include <sys/wait.h>

#include <iostream>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/event_loop/peer.h"

namespace event_loop {
namespace {

void Report(absl::string_view name, Service& service) {
  const ipc::DirectionCounters sent = service.channel().counters().sent;
  std::cout << "loop: sent " << sent.messages << " answers over the " << name << ", waited " << sent.refused
            << " times for room, ended "
            << (service.status().ok() ? "in order"
                                      : service.status().ToString(absl::StatusToStringMode::kWithNoExtraData))
            << std::endl;
}

}  // namespace

int RunProgram(int argc, char** argv, Loop loop) {
  if (IsPeer(argc, argv)) return RunPeer(argc, argv);
  absl::StatusOr<Peer> peer = StartPeer(/*crashes=*/argc > 1 && argv[1] == absl::string_view("crash"));
  if (!peer.ok()) {
    std::cerr << "loop: " << peer.status() << std::endl;
    return 1;
  }
  Figures figures;
  Service ring(std::move(peer->ring), figures);
  Service socket(std::move(peer->socket), figures);
  const absl::Status looped = loop(ring, socket, figures);

  ring.channel().Close();
  socket.channel().Close();
  int exit_status = -1;
  waitpid(peer->pid, &exit_status, 0);
  Report("ring", ring);
  Report("socket", socket);
  std::cout << "loop: the timer ticked " << figures.ticks << " times" << std::endl;
  if (!looped.ok()) std::cerr << "loop: " << looped << std::endl;
  return looped.ok() && ring.status().ok() && socket.status().ok() && exit_status == 0 ? 0 : 1;
}

}  // namespace event_loop
