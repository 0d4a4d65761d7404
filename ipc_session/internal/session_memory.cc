#include "ipc_session/internal/session_memory.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::string_view Name(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kHeap:
      return "heap";
    case MemoryKind::kClassic:
      return "classic";
    case MemoryKind::kJemalloc:
      return "jemalloc";
  }
  return "unknown";
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
