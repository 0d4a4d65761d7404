#include "ipc_shm_classic/internal/best_fit_heap.h"

#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <cstring>
#include <new>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

class BestFitHeap final : public SmallHeap {
 public:
  explicit BestFitHeap(absl::Span<std::byte> memory) : tree_(*new(memory.data()) Tree(memory.size(), 0)) {}

  void* Allocate(size_t bytes, size_t alignment, bool zeroed) override {
    void* block;
    {
      const MutexLock lock(mutex_);
      block = alignment <= kNaturalAlignment ? tree_.allocate(bytes) : tree_.allocate_aligned(bytes, alignment);
    }
    if (block != nullptr && zeroed) std::memset(block, 0, bytes);
    return block;
  }

  void Free(void* block, size_t /*bytes*/) override {
    const MutexLock lock(mutex_);
    tree_.deallocate(block);
  }

  size_t AllocateMany(size_t bytes, size_t alignment, absl::Span<void*> blocks) override {
    if (alignment > kNaturalAlignment) return SmallHeap::AllocateMany(bytes, alignment, blocks);
    const MutexLock lock(mutex_);
    size_t count = 0;
    while (count < blocks.size() && (blocks[count] = tree_.allocate(bytes)) != nullptr) ++count;
    return count;
  }

  void FreeMany(size_t /*bytes*/, absl::Span<void* const> blocks) override {
    const MutexLock lock(mutex_);
    for (void* const block : blocks) tree_.deallocate(block);
  }

 private:
  using Tree = boost::interprocess::rbtree_best_fit<boost::interprocess::null_mutex_family, void*>;

  static constexpr size_t kNaturalAlignment = alignof(std::max_align_t);

  Mutex mutex_;
  Tree& tree_ ABSL_GUARDED_BY(mutex_);  // At the start of its memory.
};

}  // namespace

absl::StatusOr<std::unique_ptr<SmallHeap>> CreateBestFitHeap(PageRuns& runs, size_t bytes) {
  bool is_zero;
  const absl::Span<std::byte> memory = runs.Allocate(bytes, &is_zero);
  if (memory.empty()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the arena's region has no run of ", bytes, " bytes for its heap"));
  }
  return std::make_unique<BestFitHeap>(memory);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
