// Sessions whose messages lie in memory that the reader cannot write.

#ifndef SLUICE_IPC_SHM_JEMALLOC_SESSION_H_
#define SLUICE_IPC_SHM_JEMALLOC_SESSION_H_

#include "ipc_shm/internal/memory_session.h"
#include "ipc_shm/internal/own_arena.h"
#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"

namespace ipc {
inline namespace sluice_0 {
namespace session::shm::jemalloc {

// As `ipc::Session` and `ipc::Server`; typed messages of their channels are built in shared memory and read in place.
// Each side has a region of its own, of its SessionOptions::arena_bytes, which the other maps for reading. Both ends
// must be of this kind: another gets FAILED_PRECONDITION (kWrongKind).
using Session = internal::MemorySession<internal::JemallocKind>;
using ClientSession = Session;
using Server = internal::MemoryServer<internal::JemallocKind>;

// For such sessions to share. Peers map it for reading.
using OwnArena = internal::OwnArena<internal::JemallocKind>;

}  // namespace session::shm::jemalloc
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_JEMALLOC_SESSION_H_
