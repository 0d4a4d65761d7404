// The sessions that a server has made, for whoever asks about them.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_REGISTRY_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_REGISTRY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_report.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Keeps none of them alive. One thread at a time, the server's.
class SessionRegistry {
 public:
  // `session` was opened now.
  void Add(const std::shared_ptr<SessionCore>& session);

  // Of server `app`, whose sessions use `kind`.
  ServerReport Report(const std::string& app, MemoryKind kind) const;

 private:
  struct Entry {
    std::weak_ptr<SessionCore> session;
    int64_t opened_unix_nanos = 0;
  };

  std::vector<Entry> entries_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_REGISTRY_H_
