// The smallest complete pair: a server starts this program again as its client, and answers one typed request.
// The answer is 8 MB long, and the client reads it where the server wrote it.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/one_program/squares.capnp.h"
#include "ipc_session/apps.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"

namespace memory = ipc::session::shm::classic;
using one_program::Body;

// The universe: the programs, and who may connect to whom.
constexpr ipc::App kClient{.name = "squares_client"};
constexpr absl::string_view kMayConnect[] = {kClient.name};
constexpr ipc::ServerApp kServer{.app = {.name = "squares_server"}, .allowed_clients = kMayConnect};

absl::Status RunClient() {
  absl::StatusOr<memory::ClientSession> session = memory::ClientSession::Connect(kClient, kServer);
  if (!session.ok()) return session.status();
  auto channel = ipc::StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);

  ipc::Message<Body> request = channel.NewMessage();
  request.body().setFirst(1000);
  absl::StatusOr<ipc::Incoming<Body>> answer = channel.Request(std::move(request), absl::Seconds(5));
  if (!answer.ok()) return answer.status();
  const auto squares = answer->body().getSquares();
  if (squares.size() == 0) return absl::DataLossError("the answer is empty");
  std::cout << "client: got " << squares.size() << " squares; 1000 squared is " << squares[0] << std::endl;
  return absl::OkStatus();
}

absl::Status ServeOneClient(memory::Server& server) {
  absl::StatusOr<memory::Session> session = server.Accept(absl::Seconds(5));
  if (!session.ok()) return session.status();
  auto channel = ipc::StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);

  absl::StatusOr<ipc::Incoming<Body>> request = channel.Receive(absl::Seconds(5));
  if (!request.ok()) return request.status();
  ipc::Message<Body> answer = channel.NewMessage();
  auto squares = answer.body().initSquares(1'000'000);
  uint64_t number = request->body().getFirst();
  for (uint32_t i = 0; i < squares.size(); ++i, ++number) squares.set(i, number * number);
  return request->Reply(std::move(answer));
}

absl::Status RunServer(char* program) {
  absl::StatusOr<memory::Server> server = memory::Server::Listen(kServer, {.clients = {kClient}});
  if (!server.ok()) return server.status();
  char role[] = "client";
  char* const arguments[] = {program, role, nullptr};
  pid_t client;
  if (posix_spawn(&client, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0) {
    return absl::InternalError("cannot start the client");
  }
  const absl::Status served = ServeOneClient(*server);
  int exit_status = -1;
  waitpid(client, &exit_status, 0);
  if (!served.ok()) return served;
  if (exit_status != 0) return absl::InternalError("the client failed");
  std::cout << "server: answered process " << client << std::endl;
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  const absl::Status status = argc > 1 ? RunClient() : RunServer(argv[0]);
  if (!status.ok()) std::cerr << argv[0] << ": " << status << std::endl;
  return status.ok() ? 0 : 1;
}
