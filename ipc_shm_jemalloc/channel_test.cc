// Structured channels whose messages lie in the memory of a jemalloc session.

#include "ipc_shm/testing/session_channels.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/structured/channel_conformance.h"

SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(
    Jemalloc, ipc::testing::ChannelsOf<ipc::session::shm::jemalloc::Session, ipc::session::shm::jemalloc::Server>());
