#include "examples/structured/meeting.h"

#include <iostream>

#include "absl/strings/string_view.h"
#include "ipc_session/apps.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/time_limit.h"

namespace files {
namespace {

constexpr ipc::App kClient{.name = "files_client"};
constexpr absl::string_view kMayConnect[] = {kClient.name};
constexpr ipc::ServerApp kService{.app = {.name = "files_service"}, .allowed_clients = kMayConnect};

ipc::SessionOptions OptionsIn(const std::string& folder) {
  ipc::SessionOptions options;
  options.channels = 2;
  options.run_folder = folder;
  options.deadline = ipc::Deadline(ipc::testing::TimeLimit());
  return options;
}

absl::Status ServeOne(const std::string& folder, uint64_t arena_bytes,
                      absl::FunctionRef<absl::Status(memory::Session&)> serve) {
  ipc::SessionOptions options = OptionsIn(folder);
  options.arena_bytes = arena_bytes;
  absl::StatusOr<memory::Server> server = memory::Server::Listen(kService, {.clients = {kClient}, .session = options});
  if (!server.ok()) return server.status();
  ipc::testing::TellParent("listening");
  absl::StatusOr<memory::Session> session = server->Accept(ipc::testing::TimeLimit());
  if (!session.ok()) return session.status();
  if (absl::Status served = serve(*session); !served.ok()) return served;
  const absl::Status end = session->WaitForEnd(ipc::testing::TimeLimit());
  return ipc::ReasonOf(end) == ipc::Reason::kGoodbye ? absl::OkStatus() : end;
}

}  // namespace

int ServeIn(const std::string& folder, uint64_t arena_bytes, absl::FunctionRef<absl::Status(memory::Session&)> serve) {
  const absl::Status served = ServeOne(folder, arena_bytes, serve);
  if (!served.ok()) std::cerr << "the service failed: " << served << "\n";
  return served.ok() ? 0 : 1;
}

absl::StatusOr<memory::Session> MeetIn(const std::string& folder) {
  return memory::Session::Connect(kClient, kService, OptionsIn(folder));
}

}  // namespace files
