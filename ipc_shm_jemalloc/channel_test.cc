// Structured channels whose messages lie in the memory of a jemalloc session.

#include "ipc_shm/testing/session_channels.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/structured/channel_conformance.h"

using ipc::session::shm::jemalloc::Server;
using ipc::session::shm::jemalloc::Session;

SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(Jemalloc, ipc::testing::ChannelsOf<Session, Server>());
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(JemallocSocket, ipc::testing::SocketChannelsOf<Session, Server>());
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(JemallocMq, ipc::testing::MqChannelsOf<Session, Server>());
