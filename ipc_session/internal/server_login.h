// The server's side of one login: a state machine that never waits.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SERVER_LOGIN_H_
#define SLUICE_IPC_SESSION_INTERNAL_SERVER_LOGIN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/identity.h"
#include "ipc_session/internal/login_half.h"
#include "ipc_session/internal/session_census.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_registry.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What a server goes by in each login.
struct ServerTerms {
  std::string app;
  std::vector<Identity> clients;
  SessionOptions session;
  std::shared_ptr<const SessionMemoryFactory> memory;  // Null: on the heap.
  SessionCensus* census = nullptr;                     // Outlives the logins. Null: there is no limit.
  // All that were opened.
  std::shared_ptr<SessionRegistry> sessions = std::make_shared<SessionRegistry>();
};

class ServerLogin {
 public:
  // `socket` was just accepted; an error leaves it as it is. `terms` outlive the login. UNAVAILABLE: the client has
  // gone already. RESOURCE_EXHAUSTED: no descriptor to watch it.
  static absl::StatusOr<std::unique_ptr<ServerLogin>> Start(Fd&& socket, const ServerTerms& terms, Deadline deadline);

  FdView socket() const { return socket_; }
  uid_t uid() const { return client_.uid; }
  // Whether it waits for its client. Else there was no room to answer it, and it is to be tried again.
  bool waits_for_client() const { return welcome_.empty() && report_.empty(); }
  // Whether its client has said no hello yet.
  bool is_silent() const { return !half_.has_value(); }
  // When to call `Step` again at the latest.
  Deadline next_step() const;

  // Goes on with what came from the client, if anything; null: not done yet. An error is the end of the login, and has
  // the full reason: for the server's log, not for the client.
  absl::StatusOr<std::shared_ptr<SessionCore>> Step();

  // Tells the client the class of `why` and no more. The login is of no more use.
  void Refuse(const absl::Status& why) const;

  // It has asked about the sessions instead of logging in: its end, with whatever error, is nothing for the log.
  bool is_inquiry() const { return is_inquiry_; }

  // Who it is, for the log.
  std::string description() const;

 private:
  ServerLogin(Fd socket, const ServerTerms& terms, Deadline deadline, Credentials client, PidFd process);

  // CANCELLED: the inquiry is answered.
  absl::Status TakeInquiry(const ReceivedFrame& frame);
  absl::Status SendReport();
  absl::Status TakeHello(ReceivedFrame frame);
  // Sends the welcome that is due, if there is room.
  absl::Status SendWelcome();
  absl::Status CheckIdentity(const std::string& app) const;
  absl::StatusOr<std::shared_ptr<SessionCore>> TakeReady(const ReceivedFrame& frame);

  Fd socket_;
  const ServerTerms& terms_;
  const Deadline deadline_;
  const Credentials client_;
  PidFd process_;
  std::string client_app_;  // Empty until the hello named it.
  // Once there was a good hello.
  std::optional<SessionCensus::Place> place_;
  std::optional<LoginHalf> half_;
  std::string welcome_;  // Empty until then, and once it is sent.
  std::vector<FdView> welcome_descriptors_;
  bool is_inquiry_ = false;
  std::deque<std::string> report_;  // What is not sent of it.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SERVER_LOGIN_H_
