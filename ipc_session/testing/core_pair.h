// Both ends of a session without a login, in one process.

#ifndef SLUICE_IPC_SESSION_TESTING_CORE_PAIR_H_
#define SLUICE_IPC_SESSION_TESTING_CORE_PAIR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/types/span.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_core.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct CorePair {
  std::shared_ptr<::ipc::internal::SessionCore> first;
  std::shared_ptr<::ipc::internal::SessionCore> second;
};

// Ends the program where that fails. Without memory a session is on the heap.
CorePair MakeCorePair(uint32_t channels, std::shared_ptr<::ipc::internal::SessionMemory> first_memory = nullptr,
                      std::shared_ptr<::ipc::internal::SessionMemory> second_memory = nullptr);

// One end, of the client, and a peer that follows a script: its socket, and where its outbox has lanes.
struct CoreAndStranger {
  std::shared_ptr<::ipc::internal::SessionCore> core;
  Fd stranger;
  ::ipc::internal::OutboxLayout outbox;

  // Sends a control packet of `bytes`, whatever they are.
  void Send(const std::string& bytes, absl::Span<const FdView> descriptors = {}) const;
};

CoreAndStranger MakeCoreAndStranger(uint32_t channels,
                                    std::shared_ptr<::ipc::internal::SessionMemory> memory = nullptr);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_CORE_PAIR_H_
