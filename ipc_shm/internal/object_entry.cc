#include "ipc_shm/internal/object_entry.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

ObjectEntry::ObjectEntry(LendingArena& arena, const ObjectType& type, const ObjectPlacement& placement, void* block)
    : arena_(arena),
      destroy_(type.destroy),
      block_(block),
      object_(static_cast<std::byte*>(block) + placement.object_offset),
      block_bytes_(placement.block_bytes),
      object_bytes_(type.bytes),
      header_(MakeHeader(object_, type)) {}

void ObjectEntry::CameBack(Destructors destructors) {
  arena_.loans_out_.fetch_sub(1, std::memory_order_relaxed);
  if (LetGo(1)) arena_.LetGo(this, destructors);
}

void ObjectEntry::Abandon() { delete this; }

void ObjectEntry::End() { arena_.Destroy(this); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
