// An arena of the classic kind in long use.

#include "ipc_shm/churn_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_CHURN_CONFORMANCE(Classic, session::shm::classic);
