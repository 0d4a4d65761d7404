// The memory of both sides of a session, exchanged without a login.

#ifndef SLUICE_IPC_SHM_TESTING_MEMORY_EXCHANGE_H_
#define SLUICE_IPC_SHM_TESTING_MEMORY_EXCHANGE_H_

#include <memory>

#include "ipc_session/internal/session_memory.h"
#include "ipc_transport/structured/store.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// A copy of what is offered, as it comes out of a socket.
::ipc::internal::ReceivedMemory Received(const ::ipc::internal::MemoryOffer& offered);

// The stores of two sides that have adopted each other's offers.
struct OpenedStores {
  std::shared_ptr<MessageStore> a;
  std::shared_ptr<MessageStore> b;
};
OpenedStores Open(::ipc::internal::SessionMemory& a, ::ipc::internal::SessionMemory& b);

// Expects that `to` reads in place what `from` lends to it.
void ExpectLends(MessageStore& from, MessageStore& to);

// Expects that arenas of both sides give freed memory back after their MemoryRequest::arena_decay.
void ExpectHasItsDecay(const ::ipc::internal::SessionMemoryFactory& factory);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_MEMORY_EXCHANGE_H_
