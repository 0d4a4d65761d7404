#include "ipc_shm/internal/arena_access.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "ipc_shm/allocation_error.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/arena_registry.h"
#include "ipc_shm/internal/paged_arena.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

[[gnu::cold]] void* ThrowOrAllocate(const ArenaHeader* header, size_t bytes, size_t alignment) {
  if (header == nullptr) {
    throw shm::NoArena(
        "ipc::shm::NoArena: a container in no arena wants memory; make it under an ArenaScope of an arena whose region "
        "lies at an equal address in both processes");
  }
  PagedArena* const arena = ArenaRegistry::Find(header);
  if (arena == nullptr) {
    throw shm::NoArena(
        "ipc::shm::NoArena: the container's arena is closed, or belongs to another process and can only be read here");
  }
  // Again, for the text; it may have become possible.
  const absl::StatusOr<void*> block = arena->Allocate(bytes, alignment);
  if (!block.ok()) throw shm::ArenaFull("ipc::shm::ArenaFull: " + std::string(block.status().message()));
  return *block;
}

}  // namespace

const ArenaHeader* HeaderOf(const shm::Arena& arena) { return arena.header(); }

void* AllocateInArena(const ArenaHeader* header, size_t bytes, size_t alignment) {
  if (PagedArena* const arena = ArenaRegistry::Find(header)) {
    if (void* const block = arena->TryAllocate(bytes, alignment)) return block;
  }
  return ThrowOrAllocate(header, bytes, alignment);
}

void FreeInArena(const ArenaHeader* header, void* block, size_t bytes) noexcept {
  if (PagedArena* const arena = ArenaRegistry::Find(header)) arena->Free(block, bytes);
}

void DieOfSwapBetweenArenas() {
  static constexpr char kText[] = "ipc::shm: containers of different arenas were swapped; move or copy them instead\n";
  std::fputs(kText, stderr);
  std::abort();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
