#include "perf_demo/benchmark_session.h"

#include <sys/socket.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/server.h"
#include "ipc_session/session_terms.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

namespace session = ipc::session;

template <typename Server>
absl::StatusOr<ipc::Session> Accept(const std::string& folder, ipc::FdView socket) {
  ipc::ServerOptions options = {.clients = {kCacheClient}};
  options.session.run_folder = folder;
  SLUICE_ASSIGN_OR_RETURN(Server server, Server::Listen(kCacheServer, options));
  Tell(socket);
  return server.Accept(ipc::Deadline::Default());
}

template <typename Session>
absl::StatusOr<ipc::Session> Connect(const std::string& folder, ipc::FdView socket) {
  ipc::SessionOptions options;
  options.run_folder = folder;
  Hear(socket);
  return Session::Connect(kCacheClient, kCacheServer, options);
}

ipc::Session Checked(absl::StatusOr<ipc::Session> session) {
  ipc::testing::Check(session.status());
  return *std::move(session);
}

}  // namespace

ipc::Session AcceptSession(Mode mode, const std::string& folder, ipc::FdView socket) {
  switch (mode) {
    case Mode::kSocket:
      break;
    case Mode::kHeap:
      return Checked(Accept<session::heap::Server>(folder, socket));
    case Mode::kClassic:
      return Checked(Accept<session::shm::classic::Server>(folder, socket));
    case Mode::kJemalloc:
      return Checked(Accept<session::shm::jemalloc::Server>(folder, socket));
  }
  ipc::testing::Die("there is no session of this kind");
}

ipc::Session ConnectSession(Mode mode, const std::string& folder, ipc::FdView socket) {
  switch (mode) {
    case Mode::kSocket:
      break;
    case Mode::kHeap:
      return Checked(Connect<session::heap::ClientSession>(folder, socket));
    case Mode::kClassic:
      return Checked(Connect<session::shm::classic::ClientSession>(folder, socket));
    case Mode::kJemalloc:
      return Checked(Connect<session::shm::jemalloc::ClientSession>(folder, socket));
  }
  ipc::testing::Die("there is no session of this kind");
}

void Tell(ipc::FdView socket) {
  // A peer that has gone is noticed by whoever talks to it next.
  send(socket.get(), "", 1, MSG_NOSIGNAL);
}

void Hear(ipc::FdView socket) {
  char byte;
  if (recv(socket.get(), &byte, 1, 0) != 1) ipc::testing::Die("the peer has gone");
}

}  // namespace cache_demo
