// Arenas of classic servers that outlive sessions.

#include "ipc_shm/server_scope_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_SERVER_SCOPE_CONFORMANCE(Classic, session::shm::classic, /*peers_write=*/true);
