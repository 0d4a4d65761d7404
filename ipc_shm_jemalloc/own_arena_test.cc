// Arenas of one's own that jemalloc sessions share.

#include "ipc_shm/own_arena_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_OWN_ARENA_CONFORMANCE(Jemalloc, session::shm::jemalloc);
