#include "ipc_session/internal/client_login.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_session/internal/connect_retry.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/identity.h"
#include "ipc_session/internal/login_half.h"
#include "ipc_session/internal/run_folder.h"
#include "ipc_transport/internal/unix_socket.h"
#include "ipc_util/credentials.h"
#include "ipc_util/internal/backoff.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// The server behind a connection, once it has proven to be the universe's.
struct CheckedServer {
  Fd socket;
  PidFd process;
  Credentials credentials;
};

absl::StatusOr<CheckedServer> ConnectAndCheck(const Identity& server, const std::string& path,
                                              const SessionOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(Fd socket, ConnectToListener(path, options.deadline));
  os::Point("session.connected");
  SLUICE_ASSIGN_OR_RETURN(const Credentials credentials, PeerCredentials(socket));
  SLUICE_RETURN_IF_ERROR(CheckUser(server, credentials));
  SLUICE_ASSIGN_OR_RETURN(PidFd process, PidFd::OfPeer(socket));
  SLUICE_RETURN_IF_ERROR(CheckExecutable(server, credentials, process, options.executable_policy));
  return CheckedServer{.socket = std::move(socket), .process = std::move(process), .credentials = credentials};
}

// The welcome, if that is what came.
absl::StatusOr<Welcome> CheckAnswer(const ReceivedFrame& frame, const SideTerms& own) {
  SLUICE_ASSIGN_OR_RETURN(auto answer, DecodeAnswer(frame.packet));
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    return refusal->ToStatus();
  }
  Welcome& welcome = std::get<Welcome>(answer);
  if (welcome.terms.kind != own.kind || welcome.terms.channels < own.channels) {
    return absl::DataLossError("the server's welcome does not fit the hello");
  }
  return std::move(welcome);
}

// The server's answer. One that refuses without reading the hello may have closed already: then the socket says that
// first, and what the server said before may be read after it.
absl::StatusOr<ReceivedFrame> ReceiveAnswer(const CheckedServer& server, Deadline deadline) {
  absl::StatusOr<ReceivedFrame> frame = ReceiveFrame(server.socket, server.process, deadline);
  if (frame.ok() || ReasonOf(frame.status()) != Reason::kGone) return frame;
  absl::StatusOr<std::optional<ReceivedFrame>> last = TryReceiveFrame(server.socket);
  if (last.ok() && last->has_value()) return **std::move(last);
  return frame;
}

absl::StatusOr<std::shared_ptr<SessionCore>> Shake(const App& client, CheckedServer server, const Identity& identity,
                                                   const SessionOptions& options, const SessionMemoryFactory* factory) {
  SLUICE_ASSIGN_OR_RETURN(LoginHalf half, LoginHalf::Create(Side::kClient, client.name, options, factory));
  SLUICE_ASSIGN_OR_RETURN(LoginHalf::Outgoing outgoing, half.Offer(options));
  const Hello hello = {
      .client_app = std::string(client.name), .server_app = identity.name, .terms = std::move(outgoing.terms)};
  const absl::Status said = SendFrame(server.socket, Encode(hello), outgoing.descriptors, options.deadline);
  if (!said.ok() && ReasonOf(said) != Reason::kGone) return said;
  os::Point("session.hello.sent");

  SLUICE_ASSIGN_OR_RETURN(ReceivedFrame frame, ReceiveAnswer(server, options.deadline));
  os::Point("session.welcome.received");
  SLUICE_ASSIGN_OR_RETURN(Welcome welcome, CheckAnswer(frame, hello.terms));
  const uint32_t channels = welcome.terms.channels;
  SLUICE_RETURN_IF_ERROR(half.Adopt(std::move(welcome.terms), std::move(frame.descriptors)));
  SLUICE_RETURN_IF_ERROR(half.AgreeOn(channels));
  SessionPeer peer = {
      .app = identity.name, .credentials = server.credentials, .process_watched = server.process.valid()};
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<SessionCore> core,
                          std::move(half).Open(std::move(server.socket), std::move(server.process), std::move(peer)));
  SLUICE_RETURN_IF_ERROR(SendFrame(core->socket(), EncodeReady()));
  os::Point("session.ready.sent");
  return core;
}

absl::StatusOr<std::shared_ptr<SessionCore>> TryLogIn(const App& client, const Identity& server,
                                                      const SessionOptions& options,
                                                      const SessionMemoryFactory* factory) {
  // Where the server will be is known when it is there.
  const std::string folder_path = RunFolderPath(options.run_folder, server.uid);
  SLUICE_ASSIGN_OR_RETURN(const std::string path, SocketPath(folder_path, server.name));
  SLUICE_RETURN_IF_ERROR(OpenRunFolder(folder_path, server.uid).status());
  SLUICE_ASSIGN_OR_RETURN(CheckedServer checked, ConnectAndCheck(server, path, options));
  return Shake(client, std::move(checked), server, options, factory);
}

absl::StatusOr<std::shared_ptr<SessionCore>> LogInOnce(const App& client, const Identity& server,
                                                       const SessionOptions& options,
                                                       const SessionMemoryFactory* factory) {
  absl::StatusOr<std::shared_ptr<SessionCore>> core = TryLogIn(client, server, options, factory);
  if (!absl::IsPermissionDenied(core.status()) || ReasonOf(core.status()) != Reason::kNone) return core;
  // The files' modes keep this process out. Under most umasks a server that begins to listen has its names a moment
  // before it lets others in by them, so one look is not enough.
  constexpr absl::Duration kModesSettle = absl::Milliseconds(10);
  Backoff(kModesSettle, kModesSettle).Pause(options.deadline);
  return TryLogIn(client, server, options, factory);
}

}  // namespace

absl::StatusOr<std::shared_ptr<SessionCore>> LogIn(const App& client, const ServerApp& server,
                                                   const SessionOptions& options, const SessionMemoryFactory* factory) {
  SLUICE_RETURN_IF_ERROR(Validate(client));
  SLUICE_RETURN_IF_ERROR(Validate(server));
  SLUICE_RETURN_IF_ERROR(Validate(options));
  const Identity identity(server.app);
  absl::StatusOr<std::shared_ptr<SessionCore>> core;
  const auto attempt = [&] {
    core = LogInOnce(client, identity, options, factory);
    return core.status();
  };
  Backoff backoff;
  const absl::Status status =
      RetryUntil(options.deadline, backoff, options.wait_for_server ? MayPass : IsBusy, attempt);
  if (!status.ok()) {
    return WithContext(status, absl::StrCat("connect app ", client.name, " to server ", identity.name));
  }
  return core;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
