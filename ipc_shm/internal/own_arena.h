// An arena of a program's own, which it lends to the sessions that it likes.

#ifndef SLUICE_IPC_SHM_INTERNAL_OWN_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_OWN_ARENA_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_shm/arena_options.h"
#include "ipc_shm/internal/object_arena.h"
#include "ipc_shm/internal/standalone_arena.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Made at any time, with or without sessions; `Kind` is that of the sessions that share it. A handle, which may be
// copied. The arena lives as long as one of its handles, the owner of an object in it, a session that shares it, or a
// loan that is out. Any thread. In a forked child's copy all calls fail, and harm nothing.
//
//   absl::StatusOr<OwnArena> arena = OwnArena::Create(uint64_t{1} << 30);
//   absl::StatusOr<std::shared_ptr<Index>> index = arena->Construct<Index>();
//   absl::Status shared = session.Share(*arena);                               // With each session that is to borrow.
//   absl::StatusOr<shm::Loan> loan = session.Lend(*index);
template <typename Kind>
class OwnArena : public ObjectArena {
 public:
  // An arena of at most `limit_bytes`. It lies where this process has room, chosen at random among thousands of places,
  // so that the addresses are likely to be free in peers too; a peer in which they are not cannot borrow from it.
  // INVALID_ARGUMENT: `limit_bytes` is not 1 to 2^37, or one of `options` is none. RESOURCE_EXHAUSTED: no addresses,
  // descriptors or arenas are left for it here; the text names the limit. FAILED_PRECONDITION: /proc is not mounted.
  // With huge pages, peers that do not allow them, by their SessionOptions::arena_pages, cannot borrow from it either.
  static absl::StatusOr<OwnArena> Create(uint64_t limit_bytes, const shm::ArenaOptions& options = {}) {
    SLUICE_ASSIGN_OR_RETURN(auto standalone, MakeOwnArena(Kind::ArenaKind(), limit_bytes, options));
    return OwnArena(std::move(standalone));
  }

  // For sessions.
  const StandaloneArena& standalone() const { return *standalone_; }

 private:
  explicit OwnArena(std::shared_ptr<const StandaloneArena> standalone)
      : ObjectArena(standalone->lending), standalone_(std::move(standalone)) {}

  std::shared_ptr<const StandaloneArena> standalone_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_OWN_ARENA_H_
