// Random traffic of objects in a classic session.

#include "ipc_shm/loan_model_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_LOAN_MODEL_CONFORMANCE(Classic, session::shm::classic, /*peers_write=*/true);
