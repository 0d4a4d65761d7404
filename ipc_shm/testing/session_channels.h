// Kinds of session for the conformance suite of structured channels.
//
//   SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(
//       Classic, ipc::testing::ChannelsOf<session::shm::classic::Session, session::shm::classic::Server>());

#ifndef SLUICE_IPC_SHM_TESTING_SESSION_CHANNELS_H_
#define SLUICE_IPC_SHM_TESTING_SESSION_CHANNELS_H_

#include <unistd.h>

#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/structured/channel_conformance.h"
#include "ipc_util/credentials.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

inline constexpr size_t kChannelsArenaBytes = 50'000'000;

// Options of a session with two channels and an arena of `kChannelsArenaBytes`.
SessionOptions ChannelsOptionsIn(const std::string& folder);

// All channels of `session`, which they keep open.
ChannelEnd EndOf(Session session);

// Both sides in this process.
template <typename Session, typename Server>
absl::StatusOr<std::pair<ChannelEnd, ChannelEnd>> ConnectSessions() {
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session = ChannelsOptionsIn(folder.path());
  SLUICE_ASSIGN_OR_RETURN(Server server, Server::Listen(kTestServer, options));
  absl::StatusOr<Session> client = absl::UnknownError("not connected");
  std::thread connecting(
      [&] { client = Session::Connect(kTestClient, kTestServer, ChannelsOptionsIn(folder.path())); });
  absl::StatusOr<Session> accepted = server.Accept(TimeLimit());
  connecting.join();
  if (!client.ok()) return client.status();
  if (!accepted.ok()) return accepted.status();
  return std::make_pair(EndOf(*std::move(client)), EndOf(*std::move(accepted)));
}

// Whoever made `socket` is the server, and tells the other where.
template <typename Session, typename Server>
absl::StatusOr<ChannelEnd> ConnectSessionOver(Fd socket) {
  SLUICE_ASSIGN_OR_RETURN(const Credentials maker, PeerCredentials(socket));
  SLUICE_ASSIGN_OR_RETURN(const auto pipe, SocketPipe::FromSocket(std::move(socket)));
  if (maker.pid != getpid()) {
    std::string folder(100, '\0');
    SLUICE_ASSIGN_OR_RETURN(const size_t bytes,
                            pipe->Receive(absl::MakeSpan(reinterpret_cast<std::byte*>(folder.data()), folder.size()),
                                          nullptr, TimeLimit()));
    folder.resize(bytes);
    SLUICE_ASSIGN_OR_RETURN(Session session, Session::Connect(kTestClient, kTestServer, ChannelsOptionsIn(folder)));
    return EndOf(std::move(session));
  }
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session = ChannelsOptionsIn(folder.path());
  SLUICE_ASSIGN_OR_RETURN(Server server, Server::Listen(kTestServer, options));
  SLUICE_RETURN_IF_ERROR(pipe->Send(std::as_bytes(std::span(folder.path())), {}, TimeLimit()));
  SLUICE_ASSIGN_OR_RETURN(Session session, server.Accept(TimeLimit()));
  return EndOf(std::move(session));
}

// As EndOf, but the channels lie over pipes of another kind, beside the session.
absl::StatusOr<std::pair<ChannelEnd, ChannelEnd>> OverSockets(absl::StatusOr<std::pair<ChannelEnd, ChannelEnd>> ends);
absl::StatusOr<std::pair<ChannelEnd, ChannelEnd>> OverMessageQueues(
    absl::StatusOr<std::pair<ChannelEnd, ChannelEnd>> ends);

template <typename Session, typename Server>
constexpr ChannelKindUnderTest ChannelsOf() {
  return {.connect = &ConnectSessions<Session, Server>,
          .connect_over = &ConnectSessionOver<Session, Server>,
          .more_than_store_bytes = kChannelsArenaBytes + 1'000'000};
}

template <typename Session, typename Server>
constexpr ChannelKindUnderTest SocketChannelsOf() {
  ChannelKindUnderTest kind = ChannelsOf<Session, Server>();
  kind.connect = [] { return OverSockets(ConnectSessions<Session, Server>()); };
  return kind;
}

template <typename Session, typename Server>
constexpr ChannelKindUnderTest MqChannelsOf() {
  ChannelKindUnderTest kind = ChannelsOf<Session, Server>();
  kind.connect = [] { return OverMessageQueues(ConnectSessions<Session, Server>()); };
  return kind;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_SESSION_CHANNELS_H_
