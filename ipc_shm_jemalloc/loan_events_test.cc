// What the arena of a jemalloc session tells an event loop.

#include "ipc_shm/loan_events_conformance.h"
#include "ipc_shm_jemalloc/session.h"

SLUICE_INSTANTIATE_LOAN_EVENTS_CONFORMANCE(Jemalloc, session::shm::jemalloc);
