#include "ipc_shm_jemalloc/session.h"

#include "ipc_shm/session_conformance.h"

SLUICE_INSTANTIATE_SESSION_CONFORMANCE(Jemalloc, session::shm::jemalloc);
