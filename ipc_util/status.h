// The meaning of Sluice's errors: one table of codes, and a machine-readable reason beside the text.
//
//   INVALID_ARGUMENT     the caller's argument is bad
//   DATA_LOSS            the peer broke the protocol
//   OUT_OF_RANGE         the orderly end of what the peer sends
//   UNAVAILABLE          the peer is dead, gone or silent
//   CANCELLED            closed on this side
//   FAILED_PRECONDITION  version, schema, kind, trust or state does not allow it; the text has both sides' values
//   RESOURCE_EXHAUSTED   no memory, descriptors, slots or quota; the text says what to raise
//   DEADLINE_EXCEEDED    too late
//   ALREADY_EXISTS       a second server
//   PERMISSION_DENIED    refused

#ifndef SLUICE_IPC_UTIL_STATUS_H_
#define SLUICE_IPC_UTIL_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {

// Why, for programs. A status that carries none has `kNone`.
enum class Reason {
  kNone = 0,
  // UNAVAILABLE: how the peer went, or what it did not do.
  kGoodbye,   // It closed the session or channel.
  kExited,    // Its process ended by itself.
  kKilled,    // Its process was killed by a signal.
  kGone,      // Its process or its end of the socket is gone; the kernel tells no more.
  kSilent,    // It has not answered for the keep-alive time.
  kNoServer,  // Nobody listens.
  kNoAnswer,  // It let go of the request without an answer; all else goes on.
  // PERMISSION_DENIED and FAILED_PRECONDITION: why a login was refused.
  kNotListed,        // The app is not on the server's list.
  kWrongUser,        // uid or gid differ from the universe's.
  kWrongExecutable,  // The executable differs from the universe's.
  kWrongKind,        // The two sides use different kinds of session memory.
  kWrongVersion,     // No common protocol version.
  kLimit,            // A cap of the server, or of the session, is reached.
  kWrongLimits,      // What one side asks for, the other has no room for.
};

// "goodbye", "exited", ...
absl::string_view Name(Reason reason);

Reason ReasonOf(const absl::Status& status);

// `status` with `reason`; an OK status stays as it is.
absl::Status WithReason(absl::Status status, Reason reason);

// `status` with "`context`: " before its text; code and reason stay.
absl::Status WithContext(const absl::Status& status, absl::string_view context);

// A system call's error as a status of the table, "`what`: <the system's text>", with the remedy for limits:
// EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, ENOBUFS, ETOOMANYREFS: RESOURCE_EXHAUSTED; EACCES, EPERM: PERMISSION_DENIED;
// EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN, ENOENT, ESRCH: UNAVAILABLE; EADDRINUSE, EEXIST: ALREADY_EXISTS;
// ETIMEDOUT: DEADLINE_EXCEEDED; ENOSYS, EOPNOTSUPP: FAILED_PRECONDITION; the rest: INVALID_ARGUMENT.
absl::Status FromErrno(int error, absl::string_view what);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_STATUS_H_
