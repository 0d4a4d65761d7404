#include "perf_demo/benchmark_session.h"

#include <sys/socket.h>

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "ipc_session/server.h"
#include "ipc_session/session_terms.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/clock.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

namespace session = ipc::session;

ipc::Session Checked(absl::StatusOr<ipc::Session> session) {
  ipc::testing::Check(session.status());
  return *std::move(session);
}

template <typename Server>
absl::AnyInvocable<ipc::Session()> Listen(const ipc::SessionOptions& options) {
  absl::StatusOr<Server> server = Server::Listen(kCacheServer, {.clients = {kCacheClient}, .session = options});
  ipc::testing::Check(server.status());
  return [server = *std::move(server)]() mutable { return Checked(server.Accept(ipc::Deadline::Default())); };
}

template <typename Session>
ipc::Session Connect(const ipc::SessionOptions& options) {
  return Checked(Session::Connect(kCacheClient, kCacheServer, options));
}

ipc::SessionOptions InFolder(const std::string& folder, ipc::SessionOptions options) {
  options.run_folder = folder;
  return options;
}

}  // namespace

absl::AnyInvocable<ipc::Session()> ListenIn(Mode mode, const std::string& folder, const ipc::SessionOptions& options) {
  switch (mode) {
    case Mode::kSocket:
      break;
    case Mode::kHeap:
      return Listen<session::heap::Server>(InFolder(folder, options));
    case Mode::kClassic:
      return Listen<session::shm::classic::Server>(InFolder(folder, options));
    case Mode::kJemalloc:
      return Listen<session::shm::jemalloc::Server>(InFolder(folder, options));
  }
  ipc::testing::Die("there is no session of this kind");
}

ipc::Session ConnectIn(Mode mode, const std::string& folder, const ipc::SessionOptions& options) {
  switch (mode) {
    case Mode::kSocket:
      break;
    case Mode::kHeap:
      return Connect<session::heap::ClientSession>(InFolder(folder, options));
    case Mode::kClassic:
      return Connect<session::shm::classic::ClientSession>(InFolder(folder, options));
    case Mode::kJemalloc:
      return Connect<session::shm::jemalloc::ClientSession>(InFolder(folder, options));
  }
  ipc::testing::Die("there is no session of this kind");
}

ipc::Session AcceptSession(Mode mode, const std::string& folder, ipc::FdView socket,
                           const ipc::SessionOptions& options) {
  absl::AnyInvocable<ipc::Session()> accept = ListenIn(mode, folder, options);
  Tell(socket);
  return accept();
}

ipc::Session ConnectSession(Mode mode, const std::string& folder, ipc::FdView socket,
                            const ipc::SessionOptions& options) {
  Hear(socket);
  return ConnectIn(mode, folder, options);
}

void Tell(ipc::FdView socket) {
  // A peer that has gone is noticed by whoever talks to it next.
  send(socket.get(), "", 1, MSG_NOSIGNAL);
}

void Hear(ipc::FdView socket) {
  char byte;
  if (recv(socket.get(), &byte, 1, 0) != 1) ipc::testing::Die("the peer has gone");
}

void Await(const std::atomic<uint64_t>& word, uint64_t value) {
  constexpr int64_t kLimitNanos = 30'000'000'000;
  const int64_t limit = ipc::internal::NowNanos() + kLimitNanos;
  while (word.load(std::memory_order_acquire) < value) {
    ipc::internal::CpuRelax();
    if (ipc::internal::NowNanos() > limit) ipc::testing::Die("the other process does not go on");
  }
}

}  // namespace cache_demo
