// Random traffic of objects in a jemalloc session.

#include "ipc_shm/loan_model_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_LOAN_MODEL_CONFORMANCE(Jemalloc, session::shm::jemalloc, /*peers_write=*/false);
