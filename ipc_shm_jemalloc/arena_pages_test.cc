// What the memory of jemalloc sessions is made of.

#include "ipc_shm/arena_pages_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_ARENA_PAGES_CONFORMANCE(Jemalloc, session::shm::jemalloc);
