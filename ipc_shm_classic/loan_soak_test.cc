// Objects and sessions that come and go, of the classic kind.

#include "ipc_shm/loan_soak_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_LOAN_SOAK_CONFORMANCE(Classic, session::shm::classic);
