#include "ipc_shm/internal/return_stack.h"

#include <algorithm>

#include "ipc_util/internal/os.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// The start of a block in the stack. Relaxed: ordered by `returned`; atomic, since a peer may scribble at any time.
struct Link {
  std::atomic<uint64_t> next;  // An address; 0: the last.
  std::atomic<uint64_t> bytes;
};
static_assert(sizeof(Link) == ReturnStack::kLeastBytes);

}  // namespace

void ReturnStack::Push(ArenaHeader& owner, void* block, size_t bytes) {
  Link& link = *static_cast<Link*>(block);
  link.bytes.store(bytes, std::memory_order_relaxed);
  uint64_t top = owner.returned.load(std::memory_order_relaxed);
  link.next.store(top, std::memory_order_relaxed);
  os::Point("arena.return.linked");
  // Release: the link, and all that was done with the block; pairs with the acquire in `TakeAll`.
  while (!owner.returned.compare_exchange_weak(top, reinterpret_cast<uintptr_t>(block), std::memory_order_release,
                                               std::memory_order_relaxed)) {
    link.next.store(top, std::memory_order_relaxed);
  }
  os::Point("arena.return.pushed");
}

std::vector<ReturnedBlock> ReturnStack::BlocksOf(uint64_t taken, const RegionWindow& window, size_t max_blocks) {
  std::vector<ReturnedBlock> blocks;
  uint64_t next = taken;
  while (next != 0 && blocks.size() < max_blocks) {
    // The validation: nothing of a block is read before its address is known to lie in the window.
    const uint64_t start = next - reinterpret_cast<uintptr_t>(window.region->data());
    if (next % kLeastBytes != 0 || !window.Contains(start, kLeastBytes)) break;
    std::byte* const address = window.region->data() + start;
    const Link& link = *reinterpret_cast<const Link*>(address);
    const uint64_t bytes = link.bytes.load(std::memory_order_relaxed);
    if (bytes == 0 || !window.Contains(start, bytes)) break;
    next = link.next.load(std::memory_order_relaxed);
    blocks.push_back({.address = address, .bytes = bytes});
  }
  if (next == 0) return blocks;
  // Scribbled: it may go round in circles.
  const auto by_address = [](const ReturnedBlock& a, const ReturnedBlock& b) { return a.address < b.address; };
  const auto is_same = [](const ReturnedBlock& a, const ReturnedBlock& b) { return a.address == b.address; };
  std::sort(blocks.begin(), blocks.end(), by_address);
  blocks.erase(std::unique(blocks.begin(), blocks.end(), is_same), blocks.end());
  return blocks;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
