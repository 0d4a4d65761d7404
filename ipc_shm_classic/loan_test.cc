// Objects that are lent in a classic session.

#include "ipc_shm/loan_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_LOAN_CONFORMANCE(Classic, session::shm::classic);
