// What an allocator does with the header that it holds. Not templates, and no other headers: every program that uses
// containers compiles this.

#ifndef SLUICE_IPC_SHM_INTERNAL_ARENA_ACCESS_H_
#define SLUICE_IPC_SHM_INTERNAL_ARENA_ACCESS_H_

#include <cstddef>

namespace ipc {
inline namespace sluice_0 {

namespace shm {
class Arena;
}  // namespace shm

namespace internal {

struct ArenaHeader;

// The arena of the thread's innermost scope; null: it is in none, or in one of an arena that can have no containers.
inline constinit thread_local const ArenaHeader* scoped_header = nullptr;

// In which `scoped_header` is `header`.
class HeaderScope {
 public:
  explicit HeaderScope(const ArenaHeader* header) : outer_(scoped_header) { scoped_header = header; }
  ~HeaderScope() { scoped_header = outer_; }
  HeaderScope(const HeaderScope&) = delete;
  HeaderScope& operator=(const HeaderScope&) = delete;

 private:
  const ArenaHeader* const outer_;
};

// What containers in `arena` hold; null: it can have none.
const ArenaHeader* HeaderOf(const shm::Arena& arena);

// Never null. Throws shm::NoArena where `header` leads to no arena of this process, and shm::ArenaFull.
void* AllocateInArena(const ArenaHeader* header, size_t bytes, size_t alignment);

// `block` of this or another process's arena. Where `header` leads to no arena any more, it ends with the region.
void FreeInArena(const ArenaHeader* header, void* block, size_t bytes) noexcept;

// Ends the program, and says why.
[[noreturn]] void DieOfSwapBetweenArenas();

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_ARENA_ACCESS_H_
