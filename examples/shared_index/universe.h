// The programs, and who may connect to whom.

#ifndef SLUICE_EXAMPLES_SHARED_INDEX_UNIVERSE_H_
#define SLUICE_EXAMPLES_SHARED_INDEX_UNIVERSE_H_

#include "absl/strings/string_view.h"
#include "ipc_session/apps.h"
#include "ipc_shm_classic/session.h"

namespace shared_index {

namespace memory = ipc::session::shm::classic;

inline constexpr ipc::App kUpdater{.name = "index_updater"};
inline constexpr absl::string_view kMayConnect[] = {kUpdater.name};
inline constexpr ipc::ServerApp kReader{.app = {.name = "index_reader"}, .allowed_clients = kMayConnect};

}  // namespace shared_index

#endif  // SLUICE_EXAMPLES_SHARED_INDEX_UNIVERSE_H_
