#include "ipc_shm_classic/session.h"

#include <optional>
#include <thread>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/reconnect.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/session_conformance.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

SLUICE_INSTANTIATE_SESSION_CONFORMANCE(Classic, session::shm::classic);

namespace ipc::testing {
namespace {

using session::shm::classic::Server;
using session::shm::classic::Session;

TEST(SessionsOfTheKindTest, AnEventLoopAndAReconnectorGetThem) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder.path())));
  ASSERT_OK_AND_ASSIGN(std::optional<Session> session, server.TryAccept());
  EXPECT_FALSE(session.has_value());
  ASSERT_OK_AND_ASSIGN(const FdView wait_fd, server.wait_fd());
  absl::StatusOr<Session> peer;
  std::thread client([&] {
    Reconnector<Session> sessions(kTestClient, kTestServer, OptionsIn(folder.path()));
    peer = sessions.Next(TimeLimit());
  });
  while (!session.has_value() && BecomesReadable(wait_fd)) {
    absl::StatusOr<std::optional<Session>> next = server.TryAccept();
    EXPECT_OK(next);
    if (next.ok() && next->has_value()) session.emplace(**std::move(next));
  }
  client.join();
  EXPECT_OK(peer);
  ASSERT_TRUE(session.has_value());
  EXPECT_NE(session->message_store(), nullptr);
}

}  // namespace
}  // namespace ipc::testing
