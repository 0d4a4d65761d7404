// Arenas of jemalloc servers that outlive sessions.

#include "ipc_shm/server_scope_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_SERVER_SCOPE_CONFORMANCE(Jemalloc, session::shm::jemalloc, /*peers_write=*/false);
