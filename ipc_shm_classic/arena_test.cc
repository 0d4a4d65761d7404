#include "ipc_shm_classic/arena.h"

#include "ipc_shm/arena_conformance.h"

SLUICE_INSTANTIATE_ARENA_CONFORMANCE(Classic, ipc::shm::classic::CreateArena);
