// Structured channels whose messages lie in the memory of a classic session.

#include "ipc_shm/testing/session_channels.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/structured/channel_conformance.h"

using ipc::session::shm::classic::Server;
using ipc::session::shm::classic::Session;

SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(Classic, ipc::testing::ChannelsOf<Session, Server>());
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(ClassicSocket, ipc::testing::SocketChannelsOf<Session, Server>());
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(ClassicMq, ipc::testing::MqChannelsOf<Session, Server>());
