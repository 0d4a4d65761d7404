// The asker's side of an inquiry.

#ifndef SLUICE_IPC_SESSION_INTERNAL_ASK_SERVER_H_
#define SLUICE_IPC_SESSION_INTERNAL_ASK_SERVER_H_

#include <string>

#include "absl/status/statusor.h"
#include "ipc_session/internal/session_report.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct AnsweredInquiry {
  Credentials server;  // As the kernel tells them.
  ServerReport report;
};

// What the server that listens at `path` tells of its sessions.
// UNAVAILABLE (kNoServer): nobody listens. PERMISSION_DENIED: modes do not let this process in. DEADLINE_EXCEEDED: it
// listens, and does not answer. DATA_LOSS: what it answers is no report. UNAVAILABLE: it went. FAILED_PRECONDITION: no
// common version.
absl::StatusOr<AnsweredInquiry> AskServer(const std::string& path, Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_ASK_SERVER_H_
