#include "ipc_session/internal/identity.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::Status WrongExecutable(const Identity& expected, absl::string_view why) {
  return WithReason(absl::PermissionDeniedError(
                        absl::StrCat("app ", expected.name, " must run ", expected.executable, ", but ", why)),
                    Reason::kWrongExecutable);
}

absl::Status CannotTell(const Identity& expected, const absl::Status& why, ExecutablePolicy policy) {
  if (policy == ExecutablePolicy::kRequired) return WrongExecutable(expected, why.message());
  Log(LogLevel::kWarning, absl::StrCat("the executable of app ", expected.name, " is not checked: ", why.message()));
  return absl::OkStatus();
}

}  // namespace

Identity::Identity(const App& app)
    : name(app.name),
      executable(app.executable),
      uid(app.uid.value_or(OwnCredentials().uid)),
      gid(app.gid.value_or(OwnCredentials().gid)) {}

absl::Status CheckUser(const Identity& expected, const Credentials& peer) {
  if (peer.uid == expected.uid && peer.gid == expected.gid) return absl::OkStatus();
  return WithReason(absl::PermissionDeniedError(absl::StrCat("app ", expected.name, " must be uid ", expected.uid,
                                                             " and gid ", expected.gid, ", but is ", ToString(peer))),
                    Reason::kWrongUser);
}

absl::Status CheckExecutable(const Identity& expected, const Credentials& peer, const PidFd& process,
                             ExecutablePolicy policy) {
  if (policy == ExecutablePolicy::kIgnore || expected.executable.empty()) return absl::OkStatus();
  if (peer.pid == 0) {
    return CannotTell(expected, absl::UnavailableError("its process is in another pid namespace"), policy);
  }
  const absl::StatusOr<ExecutableId> running = ExecutableOf(peer.pid);
  // The number is the peer's own as long as the peer lives, which is known of one that is watched.
  if (!process.valid() || process.HasEnded())
    return WithReason(absl::UnavailableError("the peer has ended"), Reason::kGone);
  if (!running.ok()) return CannotTell(expected, running.status(), policy);
  const absl::StatusOr<ExecutableId> due = ExecutableAt(expected.executable);
  if (!due.ok()) {
    if (due.status().code() == absl::StatusCode::kUnavailable)
      return WrongExecutable(expected, "there is no such file");
    return CannotTell(expected, due.status(), policy);
  }
  if (*running == *due) return absl::OkStatus();
  return WrongExecutable(
      expected,
      absl::StrCat("process ", peer.pid,
                   running->deleted ? " runs a file that was replaced or removed; restart it" : " runs another file"));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
