#include "ipc_shm_classic/session.h"

#include "ipc_shm/session_conformance.h"

SLUICE_INSTANTIATE_SESSION_CONFORMANCE(Classic, session::shm::classic);
