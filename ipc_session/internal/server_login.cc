#include "ipc_session/internal/server_login.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/inquiry.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// What the client may know of `why`. Texts that name versions or kinds were made for it.
Refusal RefusalFor(const absl::Status& why) {
  const Reason reason = ReasonOf(why);
  switch (reason) {
    case Reason::kNotListed:
      return {why.code(), reason, "the app is not on the server's list"};
    case Reason::kWrongUser:
      return {why.code(), reason, "the app's uid or gid is not the universe's"};
    case Reason::kWrongExecutable:
      return {why.code(), reason, "the app's executable is not the universe's"};
    case Reason::kWrongKind:
    case Reason::kWrongLimits:
    case Reason::kWrongVersion:
      return {why.code(), reason, std::string(why.message())};
    case Reason::kLimit:
      if (!absl::IsUnavailable(why)) break;
      return {why.code(), reason, "the server has too many logins under way"};
    default:
      break;
  }
  switch (why.code()) {
    case absl::StatusCode::kResourceExhausted:
      return {why.code(), Reason::kLimit, "the server is at a limit"};
    case absl::StatusCode::kDataLoss:
      return {why.code(), Reason::kNone, "the server does not understand the client"};
    case absl::StatusCode::kDeadlineExceeded:
      return {why.code(), Reason::kNone, "the login took too long"};
    default:
      return {absl::StatusCode::kUnavailable, Reason::kNone, "the server could not open the session"};
  }
}

absl::Status CheckKind(MemoryKind server, MemoryKind client) {
  if (server == client) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat("the server's sessions use ", Name(server),
                                                               " memory, the client asks for ", Name(client))),
                    Reason::kWrongKind);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerLogin>> ServerLogin::Start(Fd&& socket, const ServerTerms& terms,
                                                                Deadline deadline) {
  SLUICE_ASSIGN_OR_RETURN(const Credentials client, PeerCredentials(socket));
  SLUICE_ASSIGN_OR_RETURN(PidFd process, PidFd::OfPeer(socket));
  return std::unique_ptr<ServerLogin>(new ServerLogin(std::move(socket), terms, deadline, client, std::move(process)));
}

ServerLogin::ServerLogin(Fd socket, const ServerTerms& terms, Deadline deadline, Credentials client, PidFd process)
    : socket_(std::move(socket)), terms_(terms), deadline_(deadline), client_(client), process_(std::move(process)) {}

Deadline ServerLogin::next_step() const { return waits_for_client() ? deadline_ : Earlier(deadline_, kInFlightTick); }

absl::StatusOr<std::shared_ptr<SessionCore>> ServerLogin::Step() {
  if (is_inquiry_) {
    SLUICE_RETURN_IF_ERROR(SendReport());
  } else if (!waits_for_client()) {
    SLUICE_RETURN_IF_ERROR(SendWelcome());
  } else {
    SLUICE_ASSIGN_OR_RETURN(std::optional<ReceivedFrame> frame, TryReceiveFrame(socket_));
    if (frame.has_value()) {
      if (half_.has_value()) return TakeReady(*frame);
      SLUICE_RETURN_IF_ERROR(IsInquiry(frame->packet) ? TakeInquiry(*frame) : TakeHello(*std::move(frame)));
    }
  }
  if (deadline_.HasPassed()) {
    return absl::DeadlineExceededError(half_.has_value() ? "no ready came in time" : "no hello came in time");
  }
  return nullptr;
}

absl::Status ServerLogin::TakeInquiry(const ReceivedFrame& frame) {
  is_inquiry_ = true;
  SLUICE_RETURN_IF_ERROR(DecodeInquiry(frame.packet));
  report_ = EncodeReport(terms_.sessions->Report(terms_.app, KindOf(terms_.memory.get())));
  return SendReport();
}

absl::Status ServerLogin::SendReport() {
  while (!report_.empty()) {
    SLUICE_ASSIGN_OR_RETURN(const bool sent, TrySendFrame(socket_, report_.front()));
    if (!sent) return absl::OkStatus();
    report_.pop_front();
  }
  return absl::CancelledError("the inquiry is answered");
}

absl::Status ServerLogin::TakeHello(ReceivedFrame frame) {
  os::Point("session.hello.received");
  SLUICE_ASSIGN_OR_RETURN(Hello hello, DecodeHello(frame.packet));
  client_app_ = std::move(hello.client_app);
  if (hello.server_app != terms_.app) {
    return absl::DataLossError(absl::StrCat("it asks for server ", hello.server_app));
  }
  SLUICE_RETURN_IF_ERROR(CheckIdentity(client_app_));
  SLUICE_RETURN_IF_ERROR(CheckKind(KindOf(terms_.memory.get()), hello.terms.kind));
  if (terms_.census != nullptr) {
    SLUICE_ASSIGN_OR_RETURN(SessionCensus::Place place, terms_.census->Admit(client_.uid));
    place_.emplace(std::move(place));
  }
  SLUICE_ASSIGN_OR_RETURN(LoginHalf half,
                          LoginHalf::Create(Side::kServer, client_app_, terms_.session, terms_.memory.get()));
  const uint32_t channels = std::max(hello.terms.channels, static_cast<uint32_t>(terms_.session.channels));
  SLUICE_RETURN_IF_ERROR(half.Adopt(std::move(hello.terms), std::move(frame.descriptors)));
  SLUICE_RETURN_IF_ERROR(half.AgreeOn(channels));
  SLUICE_ASSIGN_OR_RETURN(LoginHalf::Outgoing outgoing, half.Offer(terms_.session));
  outgoing.terms.channels = channels;
  welcome_ = Encode(Welcome{.terms = std::move(outgoing.terms)});
  welcome_descriptors_ = std::move(outgoing.descriptors);
  half_ = std::move(half);
  return SendWelcome();
}

absl::Status ServerLogin::SendWelcome() {
  SLUICE_ASSIGN_OR_RETURN(const bool sent, TrySendFrame(socket_, welcome_, welcome_descriptors_));
  if (!sent) return absl::OkStatus();
  welcome_.clear();
  os::Point("session.welcome.sent");
  return absl::OkStatus();
}

absl::Status ServerLogin::CheckIdentity(const std::string& app) const {
  const auto identity = absl::c_find_if(terms_.clients, [&](const Identity& client) { return client.name == app; });
  if (identity == terms_.clients.end()) {
    return WithReason(absl::PermissionDeniedError(absl::StrCat("app ", app, " is not in allowed_clients")),
                      Reason::kNotListed);
  }
  SLUICE_RETURN_IF_ERROR(CheckUser(*identity, client_));
  return CheckExecutable(*identity, client_, process_, terms_.session.executable_policy);
}

absl::StatusOr<std::shared_ptr<SessionCore>> ServerLogin::TakeReady(const ReceivedFrame& frame) {
  os::Point("session.ready.received");
  SLUICE_RETURN_IF_ERROR(DecodeReady(frame.packet));
  if (!frame.descriptors.empty()) return absl::DataLossError("its ready carries descriptors");
  SessionPeer peer = {.app = client_app_, .credentials = client_, .process_watched = process_.valid()};
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<SessionCore> core,
                          (*std::move(half_)).Open(std::move(socket_), std::move(process_), std::move(peer)));
  if (place_.has_value()) (*std::move(place_)).Fill(core);
  terms_.sessions->Add(core);
  return core;
}

void ServerLogin::Refuse(const absl::Status& why) const {
  if (absl::IsCancelled(why)) return;                         // An inquiry that is answered.
  SendFrame(socket_, Encode(RefusalFor(why))).IgnoreError();  // A client that has gone needs no answer.
}

std::string ServerLogin::description() const {
  return absl::StrCat(client_app_.empty() ? "a client" : absl::StrCat("app ", client_app_), " (", ToString(client_),
                      ")");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
