#include "doc/guide_testing.h"

#include <iostream>

#include "doc/guide.capnp.h"
#include "doc/guide_universe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

// [guide
namespace memory = ipc::session::shm::classic;
using guide::Greeting;

// In the host.
absl::StatusOr<memory::Server> Listen(const ipc::SessionOptions& options) {
  return memory::Server::Listen(kHost, {.clients = {kGreeter}, .session = options});
}

// Serves one client after the other. A client that is lost does not end the server.
absl::Status Serve(memory::Server& server, absl::Status (*serve_client)(memory::Session&)) {
  while (true) {
    absl::StatusOr<memory::Session> session = server.Accept(ipc::Deadline::Never());
    if (!session.ok()) return session.status();
    absl::Status served = serve_client(*session);
    if (!served.ok()) std::cerr << session->peer().app << " was lost: " << served << "\n";
  }
}

// In the greeter.
absl::StatusOr<memory::Session> Connect(const ipc::SessionOptions& options) {
  return memory::Session::Connect(kGreeter, kHost, options);
}
// guide]

namespace ipc {
inline namespace sluice_0 {
namespace testing {

SessionOptions OptionsIn(const std::string& folder) {
  SessionOptions options;
  options.channels = 2;
  options.run_folder = folder;
  options.deadline = Deadline(TimeLimit());
  return options;
}

int HostIn(const std::string& folder, absl::Status (*serve_client)(memory::Session&)) {
  absl::StatusOr<memory::Server> server = ::Listen(OptionsIn(folder));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  return server.ok() && Serve(*server, serve_client).ok() ? 0 : 1;
}

void GuideTest::StartHost(absl::string_view role) {
  host_.emplace(Child::Start(role, {folder_.path()}));
  ASSERT_EQ(host_->Hear(), "listening");
}

void GuideTest::Meet(absl::string_view role) {
  StartHost(role);
  ASSERT_OK_AND_ASSIGN(session_, ::Connect(OptionsIn(folder_.path())));
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
