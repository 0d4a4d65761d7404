// The programs, and who may connect to whom.

#ifndef SLUICE_EXAMPLES_PUBLISHED_INDEX_UNIVERSE_H_
#define SLUICE_EXAMPLES_PUBLISHED_INDEX_UNIVERSE_H_

#include "absl/strings/string_view.h"
#include "ipc_session/apps.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"

namespace published_index {

// What memory the objects lie in is one alias; this example is built with either.
#ifdef PUBLISHED_INDEX_IN_CLASSIC_MEMORY
namespace memory = ipc::session::shm::classic;
#else
namespace memory = ipc::session::shm::jemalloc;
#endif

inline constexpr ipc::App kReader{.name = "index_follower"};
inline constexpr absl::string_view kMayConnect[] = {kReader.name};
inline constexpr ipc::ServerApp kPublisher{.app = {.name = "index_publisher"}, .allowed_clients = kMayConnect};

}  // namespace published_index

#endif  // SLUICE_EXAMPLES_PUBLISHED_INDEX_UNIVERSE_H_
