#include "ipc_util/region.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace ipc {
inline namespace sluice_0 {
namespace {

namespace os = internal::os;

// Newer than some C libraries.
constexpr int kMadvPopulateRead = 22;
constexpr int kMadvCollapse = 25;

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

int SealsFor(Sharing sharing) { return sharing == Sharing::kOneWriter ? kSizeSeals | F_SEAL_FUTURE_WRITE : kSizeSeals; }

constexpr size_t kHugePageBytes = size_t{2} << 20;

size_t PageBytesOf(Pages pages) {
  static const size_t ordinary = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return pages == Pages::kHuge ? kHugePageBytes : ordinary;
}

unsigned MemfdFlagsFor(Pages pages) {
  return MFD_CLOEXEC | MFD_ALLOW_SEALING | (pages == Pages::kHuge ? MFD_HUGETLB | MFD_HUGE_2MB : 0U);
}

// Exceeding RLIMIT_FSIZE raises SIGXFSZ, which kills: look first.
absl::Status CheckLimits(size_t bytes, bool creates) {
  rlimit limit;
  if (creates && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("a region of ", bytes, " bytes exceeds RLIMIT_FSIZE, ",
                                                     limit.rlim_cur, " bytes; raise it (ulimit -f)"));
  }
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("a region of ", bytes, " bytes exceeds RLIMIT_AS, ",
                                                     limit.rlim_cur, " bytes; raise it (ulimit -v)"));
  }
  return absl::OkStatus();
}

// Maps without access first: under mlockall a mapping with access would be filled at once. `place`: where, if it is
// valid; it is of as many bytes.
absl::StatusOr<std::byte*> MapGuarded(FdView fd, size_t bytes, Access access, internal::Reservation place) {
  const int flags = MAP_SHARED | MAP_NORESERVE | (place.valid() ? MAP_FIXED : 0);
  void* const address = os::Mmap(place.data(), bytes, PROT_NONE, flags, fd.get(), 0);
  if (address == MAP_FAILED) {
    return FromErrno(errno, absl::StrCat("map a region of ", bytes, " bytes (limits: RLIMIT_AS, vm.max_map_count)"));
  }
  std::move(place).Replaced();
  const int protection = access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
  if (os::Munlock(address, bytes) != 0 || os::Madvise(address, bytes, MADV_DONTDUMP) != 0 ||
      os::Madvise(address, bytes, MADV_DONTFORK) != 0 || os::Mprotect(address, bytes, protection) != 0) {
    const int error = errno;
    os::Munmap(address, bytes);
    return FromErrno(error, absl::StrCat("prepare the mapping of a region of ", bytes, " bytes"));
  }
  return static_cast<std::byte*>(address);
}

struct Received {
  size_t bytes;
  size_t page_bytes;
};

// A memfd of huge pages takes the same seals as others, and a look at one of its pages kills where the system has none
// left.
absl::StatusOr<size_t> CheckPages(FdView fd, Pages pages) {
  struct statfs system;
  if (os::Fstatfs(fd.get(), &system) != 0) return FromErrno(errno, "look at the peer's region");
  if (system.f_type == TMPFS_MAGIC) return PageBytesOf(Pages::kOrdinary);
  if (system.f_type != HUGETLBFS_MAGIC || static_cast<size_t>(system.f_bsize) != kHugePageBytes) {
    return absl::DataLossError("the peer's region is no memfd of ordinary pages or of huge ones of 2 MiB");
  }
  if (pages != Pages::kHuge) {
    return absl::FailedPreconditionError("the peer's region is of huge pages, which this side does not allow");
  }
  return kHugePageBytes;
}

absl::StatusOr<Received> CheckReceived(FdView fd, Access access, Sharing sharing, Pages pages) {
  const int seals = os::Fcntl(fd.get(), F_GET_SEALS, 0);
  if (seals < 0) return absl::DataLossError("the peer's region is not a memfd");
  const int due = SealsFor(sharing);
  if ((seals & due) != due) {
    return absl::DataLossError(
        absl::StrCat("the peer's region has the seals 0x", absl::Hex(seals), ", needs 0x", absl::Hex(due)));
  }
  const int mode = os::Fcntl(fd.get(), F_GETFL, 0);
  if (mode < 0 || (mode & O_PATH) != 0 || (mode & O_ACCMODE) == O_WRONLY ||
      (access == Access::kReadWrite && (mode & O_ACCMODE) != O_RDWR)) {
    return absl::DataLossError("the peer's region is not opened with the access that it needs");
  }
  struct stat file;
  if (os::Fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode) || file.st_size <= 0) {
    return absl::DataLossError("the peer's region has no size");
  }
  SLUICE_ASSIGN_OR_RETURN(const size_t page_bytes, CheckPages(fd, pages));
  return Received{.bytes = static_cast<size_t>(file.st_size), .page_bytes = page_bytes};
}

}  // namespace

Region::Region(Region&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      page_bytes_(std::exchange(other.page_bytes_, 0)),
      fork_guard_(other.fork_guard_) {}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(page_bytes_, other.page_bytes_);
  std::swap(fork_guard_, other.fork_guard_);
  return *this;
}

Region::~Region() {
  if (data_ != nullptr && !fork_guard_.InForkedChild()) os::Munmap(data_, size_);
}

absl::StatusOr<Region> Region::Create(absl::string_view name, size_t bytes, Sharing sharing, Pages pages) {
  return Create(name, bytes, sharing, pages, internal::Reservation());
}

absl::StatusOr<Region> Region::Create(absl::string_view name, Sharing sharing, internal::Reservation place,
                                      Pages pages) {
  const size_t bytes = place.size();
  return Create(name, bytes, sharing, pages, std::move(place));
}

absl::StatusOr<Region> Region::Create(absl::string_view name, size_t bytes, Sharing sharing, Pages pages,
                                      internal::Reservation place) {
  if (bytes == 0 || bytes > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a region has 1 to ", kMaxBytes, " bytes, not ", bytes));
  }
  const size_t page_bytes = PageBytesOf(pages);
  const size_t size = (bytes + page_bytes - 1) / page_bytes * page_bytes;
  if (place.valid() && place.size() != size) {
    return absl::InvalidArgumentError(
        absl::StrCat("a place of ", place.size(), " bytes is not of whole pages of ", page_bytes));
  }
  SLUICE_RETURN_IF_ERROR(CheckLimits(size, /*creates=*/true));
  const std::string label(name);
  Fd fd(os::MemfdCreate(label.c_str(), MemfdFlagsFor(pages) | MFD_NOEXEC_SEAL));
  if (!fd.valid() && errno == EINVAL) {  // Before Linux 6.3.
    fd = Fd(os::MemfdCreate(label.c_str(), MemfdFlagsFor(pages)));
  }
  if (!fd.valid() && pages == Pages::kHuge && (errno == EINVAL || errno == ENODEV || errno == ENOENT)) {
    return absl::FailedPreconditionError(absl::StrCat("the kernel has no huge pages of 2 MiB for region ", label));
  }
  if (!fd.valid()) return FromErrno(errno, absl::StrCat("create region ", label, " (memfd_create)"));
  // Whoever is given a descriptor for reading could otherwise reopen it for writing, whatever user it is.
  if (os::Fchmod(fd.get(), S_IRUSR) != 0) return FromErrno(errno, absl::StrCat("set the mode of region ", label));
  if (os::Ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return FromErrno(errno, absl::StrCat("size region ", label, " to ", size, " bytes"));
  }
  SLUICE_ASSIGN_OR_RETURN(std::byte* const data, MapGuarded(fd, size, Access::kReadWrite, std::move(place)));
  Region region(std::move(fd), data, size, page_bytes);
  if (os::Fcntl(region.fd_.get(), F_ADD_SEALS, SealsFor(sharing)) != 0) {
    return FromErrno(errno, absl::StrCat("seal region ", label));
  }
  return region;
}

absl::StatusOr<Region> Region::Map(Fd memfd, size_t bytes, Access access, Sharing sharing, Pages pages) {
  return Map(std::move(memfd), bytes, access, sharing, pages, internal::Reservation());
}

absl::StatusOr<Region> Region::Map(Fd memfd, Access access, Sharing sharing, internal::Reservation place, Pages pages) {
  const size_t bytes = place.size();
  return Map(std::move(memfd), bytes, access, sharing, pages, std::move(place));
}

absl::StatusOr<Region> Region::Map(Fd memfd, size_t bytes, Access access, Sharing sharing, Pages pages,
                                   internal::Reservation place) {
  SLUICE_ASSIGN_OR_RETURN(const Received received, CheckReceived(memfd, access, sharing, pages));
  if (received.bytes != bytes) {
    return absl::DataLossError(
        absl::StrCat("the peer's region has ", received.bytes, " bytes, not the agreed ", bytes));
  }
  SLUICE_RETURN_IF_ERROR(CheckLimits(bytes, /*creates=*/false));
  SLUICE_ASSIGN_OR_RETURN(std::byte* const data, MapGuarded(memfd, bytes, access, std::move(place)));
  return Region(std::move(memfd), data, bytes, received.page_bytes);
}

absl::StatusOr<Region> Region::MapUpTo(Fd memfd, size_t max_bytes, Access access, Sharing sharing) {
  SLUICE_ASSIGN_OR_RETURN(const Received received, CheckReceived(memfd, access, sharing, Pages::kOrdinary));
  if (received.bytes > max_bytes) {
    return absl::DataLossError(absl::StrCat("the peer's region has ", received.bytes, " bytes, more than ", max_bytes));
  }
  return Map(std::move(memfd), received.bytes, access, sharing);
}

bool Region::Contains(const void* address) const {
  const auto* const byte = static_cast<const std::byte*>(address);
  return data_ != nullptr && byte >= data_ && byte < data_ + size_;
}

absl::StatusOr<Fd> Region::OpenReadOnly() const {
  const std::string path = absl::StrCat("/proc/self/fd/", fd_.get());
  Fd fd(os::Open(path.c_str(), O_RDONLY | O_CLOEXEC, 0));
  if (!fd.valid() && errno == ENOENT) {
    return absl::FailedPreconditionError("cannot reopen a region for reading: /proc is not mounted");
  }
  if (!fd.valid()) return FromErrno(errno, "reopen a region for reading");
  return fd;
}

absl::Status Region::CheckRange(size_t offset, size_t bytes) const {
  if (offset <= size_ && bytes <= size_ - offset) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("bytes ", offset, " to ", offset, " + ", bytes, " do not lie in a region of ", size_, " bytes"));
}

absl::Status Region::Punch(size_t offset, size_t bytes) const {
  SLUICE_RETURN_IF_ERROR(CheckRange(offset, bytes));
  const size_t begin = (offset + page_bytes_ - 1) / page_bytes_ * page_bytes_;
  const size_t end = (offset + bytes) / page_bytes_ * page_bytes_;
  if (begin >= end) return absl::OkStatus();
  if (os::Madvise(data_ + begin, end - begin, MADV_REMOVE) == 0) return absl::OkStatus();
  if (errno == EPERM || errno == EACCES) {
    return absl::FailedPreconditionError("a region with one writer, or one mapped read-only, keeps its pages");
  }
  return FromErrno(errno, "give pages of a region back");
}

absl::Status Region::PreCommit(size_t offset, size_t bytes) const {
  SLUICE_RETURN_IF_ERROR(CheckRange(offset, bytes));
  if (bytes == 0) return absl::OkStatus();
  int result;
  do {
    result = os::Fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  if (errno == EBADF) return absl::FailedPreconditionError("a region mapped read-only takes no memory");
  if (errno == ENOSPC && page_bytes_ == kHugePageBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the system has no huge pages left for ", bytes, " bytes of a region; raise vm.nr_hugepages"));
  }
  return FromErrno(errno, absl::StrCat("take ", bytes, " bytes of memory for a region"));
}

absl::Status Region::Collapse(size_t offset, size_t bytes) const {
  if (page_bytes_ == kHugePageBytes) return CheckRange(offset, bytes);
  return Advise(offset, bytes, kMadvCollapse,
                "huge pages for a region at this address (from Linux 6.1, where they fit)");
}

absl::Status Region::PopulateForReading(size_t offset, size_t bytes) const {
  return Advise(offset, bytes, kMadvPopulateRead, "mapping pages of a region ahead (from Linux 5.14)");
}

absl::Status Region::Advise(size_t offset, size_t bytes, int advice, absl::string_view what) const {
  SLUICE_RETURN_IF_ERROR(CheckRange(offset, bytes));
  if (bytes == 0) return absl::OkStatus();
  const size_t begin = offset / page_bytes_ * page_bytes_;
  int result;
  do {
    result = os::Madvise(data_ + begin, offset + bytes - begin, advice);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  if (errno == EINVAL) return absl::FailedPreconditionError(absl::StrCat("the system does not offer ", what));
  if (errno == EAGAIN || errno == EBUSY) return absl::UnavailableError(absl::StrCat(what, ": not at the moment"));
  return FromErrno(errno, what);
}

absl::StatusOr<size_t> Region::ResidentBytes() const {
  struct stat file;
  if (os::Fstat(fd_.get(), &file) != 0) return FromErrno(errno, "look at a region");
  constexpr size_t kBlockBytes = 512;
  return static_cast<size_t>(file.st_blocks) * kBlockBytes;
}

}  // namespace sluice_0
}  // namespace ipc
