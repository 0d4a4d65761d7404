// Both ends of a session without a login, in one process.

#ifndef SLUICE_IPC_SESSION_TESTING_CORE_PAIR_H_
#define SLUICE_IPC_SESSION_TESTING_CORE_PAIR_H_

#include <cstdint>
#include <memory>

#include "ipc_session/internal/session_core.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct CorePair {
  std::shared_ptr<::ipc::internal::SessionCore> first;
  std::shared_ptr<::ipc::internal::SessionCore> second;
};

// Ends the program where that fails.
CorePair MakeCorePair(uint32_t channels);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_CORE_PAIR_H_
