// What an arena that has no room advises.

#ifndef SLUICE_IPC_SHM_INTERNAL_FULL_ARENA_H_
#define SLUICE_IPC_SHM_INTERNAL_FULL_ARENA_H_

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// To follow the arena's figures in the text of an error; `is_committed` if its memory is taken from the system ahead.
inline absl::string_view FullArenaRemedy(bool is_committed) {
  return is_committed
             ? "; free some, or raise its limit (of a session: SessionOptions::arena_bytes), or give the system "
               "more memory (huge pages: vm.nr_hugepages)"
             : "; free some, or raise its limit (of a session: SessionOptions::arena_bytes)";
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_FULL_ARENA_H_
