// Private memory that grows without being cleared or, where it is large, copied.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_HEAP_BYTES_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_HEAP_BYTES_H_

#include <cstddef>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Move-only. Aligned for every type.
class HeapBytes {
 public:
  HeapBytes() = default;
  HeapBytes(HeapBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HeapBytes& operator=(HeapBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    HeapBytes().Swap(other);
    return *this;
  }
  ~HeapBytes() { std::free(data_); }

  std::byte* data() { return data_; }
  size_t size() const { return size_; }
  absl::Span<const std::byte> first(size_t bytes) const { return absl::MakeConstSpan(data_, bytes); }

  // `bytes` > size(); what was there stays, the rest is undefined. RESOURCE_EXHAUSTED: no memory; all stays as it was.
  absl::Status Grow(size_t bytes) {
    void* const grown = std::realloc(data_, bytes);
    if (grown == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this process has no ", bytes, " bytes of memory for a message"));
    }
    data_ = static_cast<std::byte*>(grown);
    size_ = bytes;
    return absl::OkStatus();
  }

 private:
  void Swap(HeapBytes& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_HEAP_BYTES_H_
