#include "ipc_shm_jemalloc/arena.h"

#include "ipc_shm/arena_conformance.h"

SLUICE_INSTANTIATE_ARENA_CONFORMANCE(Jemalloc, ipc::shm::jemalloc::CreateArena);
