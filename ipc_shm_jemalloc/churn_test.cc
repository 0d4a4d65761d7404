// An arena of the jemalloc kind in long use.

#include "ipc_shm/churn_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_CHURN_CONFORMANCE(Jemalloc, session::shm::jemalloc);
