#include "ipc_session/testing/session_pair.h"

#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

SessionPair::SessionPair() : SessionPair(SessionOptions(), SessionOptions()) {}

SessionPair::SessionPair(SessionOptions client_options, SessionOptions server_options) {
  ServerOptions listen_options = ServerOptionsIn(folder.path());
  server_options.run_folder = folder.path();
  listen_options.session = std::move(server_options);
  client_options.run_folder = folder.path();
  client_options.deadline = TimeLimit();
  listener = Server::Listen(kTestServer, listen_options).value();
  std::thread connects([&] { client = Session::Connect(kTestClient, kTestServer, client_options).value(); });
  server = listener->Accept(TimeLimit()).value();
  connects.join();
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
