// Arenas of one's own that classic sessions share.

#include "ipc_shm/own_arena_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_OWN_ARENA_CONFORMANCE(Classic, session::shm::classic);
