// Sessions whose messages lie in one region that both sides write: between programs that trust each other.

#ifndef SLUICE_IPC_SHM_CLASSIC_SESSION_H_
#define SLUICE_IPC_SHM_CLASSIC_SESSION_H_

#include "ipc_shm/internal/memory_session.h"
#include "ipc_shm/internal/mutable_borrow.h"
#include "ipc_shm/internal/own_arena.h"
#include "ipc_shm_classic/internal/classic_memory.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
template <>
inline constexpr bool kMayBorrowMutable<ClassicKind> = true;
}  // namespace internal

namespace session::shm::classic {

// As `ipc::Session` and `ipc::Server`; typed messages of their channels are built in shared memory and read in place.
// Each side writes into its own half, of SessionOptions::arena_bytes of the server, and a mistake in one program can
// spoil the memory of the other. Objects that were lent may be written by both (BorrowMutable). Both ends must be of
// this kind: another gets FAILED_PRECONDITION (kWrongKind).
using Session = internal::MemorySession<internal::ClassicKind>;
using ClientSession = Session;
using Server = internal::MemoryServer<internal::ClassicKind>;

// For such sessions to share. Objects that were lent from it may be written by both sides, but only its owner allocates
// there.
using OwnArena = internal::OwnArena<internal::ClassicKind>;

}  // namespace session::shm::classic
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CLASSIC_SESSION_H_
