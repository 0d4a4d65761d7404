// Objects and sessions that come and go, of the jemalloc kind.

#include "ipc_shm/loan_soak_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_LOAN_SOAK_CONFORMANCE(Jemalloc, session::shm::jemalloc);
