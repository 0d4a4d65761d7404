// Objects that are lent in a jemalloc session.

#include "ipc_shm/loan_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_LOAN_CONFORMANCE(Jemalloc, session::shm::jemalloc);
