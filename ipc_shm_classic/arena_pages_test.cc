// What the memory of classic sessions is made of.

#include "ipc_shm/arena_pages_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_ARENA_PAGES_CONFORMANCE(Classic, session::shm::classic);
