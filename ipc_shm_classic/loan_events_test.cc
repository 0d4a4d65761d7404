// What the arena of a classic session tells an event loop.

#include "ipc_shm/loan_events_conformance.h"
#include "ipc_shm_classic/session.h"

SLUICE_INSTANTIATE_LOAN_EVENTS_CONFORMANCE(Classic, session::shm::classic);
