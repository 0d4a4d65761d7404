// What lies before each object that can be lent, and the one step between a peer's loan and its use.

#ifndef SLUICE_IPC_SHM_INTERNAL_OBJECT_HEADER_H_
#define SLUICE_IPC_SHM_INTERNAL_OBJECT_HEADER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_shm/internal/region_window.h"
#include "ipc_shm/loan.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A type, as objects of it are told from others.
struct ObjectType {
  uint64_t id = 0;
  absl::string_view name;
  size_t bytes = 0;
  size_t alignment = 0;
  void (*destroy)(void* object) noexcept = nullptr;  // Null: it is trivially destructible.
};

// Written by the owner before the object is lent; a borrower believes none of it.
struct ObjectHeader {
  static constexpr uint32_t kMagic = 0x4f424a31;
  // Objects are aligned to it at least, whatever their type.
  static constexpr size_t kMinAlignment = 16;
  static constexpr size_t kNameBytes = 24;

  std::atomic<uint32_t> generation{0};  // Never 0 while the object lives.
  uint32_t magic = kMagic;
  uint64_t type = 0;
  uint64_t bytes = 0;
  uint64_t alignment = 0;
  uint64_t address = 0;             // Of the object, in its owner.
  char type_name[kNameBytes] = {};  // The end of it, for people.
};
static_assert(sizeof(ObjectHeader) == 64);

// How a block holds an object of `type`, with its header right before it.
struct ObjectPlacement {
  size_t block_bytes = 0;
  size_t block_alignment = 0;
  size_t object_offset = 0;
};
ObjectPlacement PlacementOf(const ObjectType& type);

// The header of an object of `type` at `object`, of generation 0.
ObjectHeader& MakeHeader(void* object, const ObjectType& type);

// The object that the peer's `ref` names, if it is one of `type` that lies in `window`, the peer's, and is alive. The
// answer holds as long as the loan is out. DATA_LOSS: it is no such object, or not any more. FAILED_PRECONDITION: it
// has another type, both are named; or it lies at another address in the peer, so that pointers in it would lead
// astray.
absl::StatusOr<std::byte*> FindLent(const RegionWindow& window, const shm::LoanRef& ref, const ObjectType& type);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_OBJECT_HEADER_H_
