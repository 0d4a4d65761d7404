// What an arena beside those of sessions is made of, and what it keeps.

#ifndef SLUICE_IPC_SHM_ARENA_OPTIONS_H_
#define SLUICE_IPC_SHM_ARENA_OPTIONS_H_

#include "absl/time/time.h"
#include "ipc_session/arena_pages.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

// As the fields of SessionOptions that are called so, with `arena_` before their names.
struct ArenaOptions {
  ArenaPages pages = ArenaPages::kOnTouch;
  absl::Duration decay = absl::Seconds(10);
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_ARENA_OPTIONS_H_
