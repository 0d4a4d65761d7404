// Structured channels whose messages lie in the memory of a classic session.

#include "ipc_shm/testing/session_channels.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/structured/channel_conformance.h"

SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(
    Classic, ipc::testing::ChannelsOf<ipc::session::shm::classic::Session, ipc::session::shm::classic::Server>());
