#include "ipc_util/testing/failing_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

// Calls until the one that fails; 0: none does.
constinit thread_local uint64_t calls_left = 0;

void* Allocate(size_t bytes, size_t alignment) {
  if (calls_left > 0 && --calls_left == 0) throw std::bad_alloc();
  void* const block = alignment <= alignof(std::max_align_t)
                          ? std::malloc(bytes)
                          : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

// All of them: a sanitizer's own do not lead to the first.
void* operator new(size_t bytes) { return Allocate(bytes, 1); }
void* operator new[](size_t bytes) { return Allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) { return Allocate(bytes, static_cast<size_t>(alignment)); }
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { std::free(block); }

// Without exceptions, nothing fails.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }

namespace ipc {
inline namespace sluice_0 {
namespace testing {

FailingNew::FailingNew(uint64_t nth) { calls_left = nth; }

FailingNew::~FailingNew() { calls_left = 0; }

bool FailingNew::has_failed() const { return calls_left == 0; }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
