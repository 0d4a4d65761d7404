// Shared memory without a name: a sparse, sealed memfd of fixed size and its mapping in this process.

#ifndef SLUICE_IPC_UTIL_REGION_H_
#define SLUICE_IPC_UTIL_REGION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"

namespace ipc {
inline namespace sluice_0 {

namespace internal {
class Reservation;
}  // namespace internal

enum class Access { kReadOnly, kReadWrite };

// Who may write a region besides mappings that exist when it is sealed.
enum class Sharing {
  kOneWriter,    // Nobody: the creator's mapping is the last that writes (F_SEAL_FUTURE_WRITE). Pages cannot be given
                 // back.
  kManyWriters,  // Whoever holds the descriptor. Pages can be given back.
};

// What a region is made of.
enum class Pages {
  kOrdinary,  // Of 4 KiB.
  kHuge,      // Of 2 MiB, from those that the system has reserved (vm.nr_hugepages). A touch where none is left kills
              // (SIGBUS): what is to be touched is pre-committed first.
};

// One mapping. Move-only; unmaps when destroyed. Its bytes never move and its size never changes, on any side: a peer
// cannot shrink or grow a sealed memfd. Memory is taken page by page on first touch. The mapping is kept out of core
// dumps and of forked children, and `mlockall` does not fill it. Any thread; who may touch which bytes is up to the
// user.
class Region {
 public:
  Region() = default;  // Empty: no bytes, no descriptor.
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  ~Region();

  // A new region of `bytes` (rounded up to whole pages), all zero, mapped read-write here. `name` shows in
  // /proc/PID/maps, for people; it need not be unique.
  // INVALID_ARGUMENT: `bytes` is 0 or above `kMaxBytes`. RESOURCE_EXHAUSTED: RLIMIT_FSIZE, RLIMIT_AS or the descriptor
  // limit is in the way; the text says which to raise. FAILED_PRECONDITION: the kernel has no huge pages.
  static absl::StatusOr<Region> Create(absl::string_view name, size_t bytes, Sharing sharing,
                                       Pages pages = Pages::kOrdinary);

  // The same, as large as `place`, which is of whole pages, and at its address.
  static absl::StatusOr<Region> Create(absl::string_view name, Sharing sharing, internal::Reservation place,
                                       Pages pages = Pages::kOrdinary);

  // Maps one that a peer sent, once it is proven to be a memfd of exactly `bytes`, sealed against shrinking, growing
  // and further seals, opened with sufficient access, and, for `kOneWriter`, sealed against future writers. DATA_LOSS:
  // it is not. FAILED_PRECONDITION: it is of huge pages, and `pages` does not allow that; `kHuge` allows both.
  // RESOURCE_EXHAUSTED: as for `Create`.
  static absl::StatusOr<Region> Map(Fd memfd, size_t bytes, Access access, Sharing sharing,
                                    Pages pages = Pages::kOrdinary);

  // The same, as large as `place` and at its address.
  static absl::StatusOr<Region> Map(Fd memfd, Access access, Sharing sharing, internal::Reservation place,
                                    Pages pages = Pages::kOrdinary);

  // The same as `Map` of ordinary pages, with the size taken from the memfd, which may be at most `max_bytes`.
  static absl::StatusOr<Region> MapUpTo(Fd memfd, size_t max_bytes, Access access, Sharing sharing);

  bool valid() const { return data_ != nullptr; }
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  size_t page_bytes() const { return page_bytes_; }
  // Of its first byte, as a number that may travel.
  uint64_t address() const { return reinterpret_cast<uintptr_t>(data_); }
  absl::Span<std::byte> bytes() const { return absl::MakeSpan(data_, size_); }
  bool Contains(const void* address) const;

  // The memfd, to be sent to a peer. A `kOneWriter` region lets nobody write through it.
  FdView fd() const { return fd_; }

  // A descriptor that can only be mapped for reading. A second line behind the seal: root and the same uid can reopen
  // it. FAILED_PRECONDITION: /proc is not mounted.
  absl::StatusOr<Fd> OpenReadOnly() const;

  // Gives the whole pages inside [offset, offset + bytes) back to the system; they read as zero again.
  // INVALID_ARGUMENT: out of range. FAILED_PRECONDITION: a `kOneWriter` region, or a read-only mapping.
  absl::Status Punch(size_t offset, size_t bytes) const;

  // Takes the memory of [offset, offset + bytes), in whole pages, now: what succeeds here cannot meet the end of memory
  // at a touch later. INVALID_ARGUMENT: out of range. RESOURCE_EXHAUSTED: there is not so much; some may be taken by
  // then. FAILED_PRECONDITION: a read-only mapping.
  absl::Status PreCommit(size_t offset, size_t bytes) const;

  // Moves what lies there into huge pages, where it fills them; takes its time, and nothing if it lies in some already.
  // Whoever maps the region so that huge pages fit, as all do at an equal address, faults and translates that much
  // less. INVALID_ARGUMENT: out of range. FAILED_PRECONDITION: this mapping is not at such an address, or the system
  // has no huge pages for it (before Linux 6.1). UNAVAILABLE, RESOURCE_EXHAUSTED: not at the moment. Some of it may be
  // done by then.
  absl::Status Collapse(size_t offset, size_t bytes) const;

  // Maps the pages there in this process now, so that a later read meets no fault; takes memory for those that nobody
  // wrote. INVALID_ARGUMENT: out of range. FAILED_PRECONDITION: the system cannot (before Linux 5.14).
  // RESOURCE_EXHAUSTED: there is not so much memory.
  absl::Status PopulateForReading(size_t offset, size_t bytes) const;

  // Bytes of memory that the region takes at the moment, whoever touched them.
  absl::StatusOr<size_t> ResidentBytes() const;

  static constexpr size_t kMaxBytes = size_t{1} << 40;

 private:
  // `place` may be empty.
  static absl::StatusOr<Region> Create(absl::string_view name, size_t bytes, Sharing sharing, Pages pages,
                                       internal::Reservation place);
  static absl::StatusOr<Region> Map(Fd memfd, size_t bytes, Access access, Sharing sharing, Pages pages,
                                    internal::Reservation place);

  absl::Status CheckRange(size_t offset, size_t bytes) const;
  // madvise on the pages that hold the range.
  absl::Status Advise(size_t offset, size_t bytes, int advice, absl::string_view what) const;

  Region(Fd fd, std::byte* data, size_t size, size_t page_bytes)
      : fd_(std::move(fd)), data_(data), size_(size), page_bytes_(page_bytes) {}

  Fd fd_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t page_bytes_ = 0;
  internal::ForkGuard fork_guard_;  // A forked child has nothing mapped there, or something else.
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_REGION_H_
