#include "ipc_util/internal/address_space.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/random.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

size_t WholePages(size_t bytes) {
  static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

Reservation::Reservation(Reservation&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(other.size_), fork_guard_(other.fork_guard_) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(fork_guard_, other.fork_guard_);
  return *this;
}

Reservation::~Reservation() {
  if (data_ != nullptr && !fork_guard_.InForkedChild()) os::Munmap(data_, size_);
}

absl::StatusOr<Reservation> Reservation::At(uint64_t address, size_t bytes) {
  if (!AddressWindow::Fits(address, bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(bytes, " bytes at 0x", absl::Hex(address), " do not fit the addresses of shared regions"));
  }
  const size_t size = WholePages(bytes);
  void* const wanted = reinterpret_cast<void*>(address);
  void* const data =
      os::Mmap(wanted, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  const auto taken = [&](absl::string_view why) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot reserve ", size, " bytes at 0x", absl::Hex(address), ": ", why));
  };
  if (data == MAP_FAILED) {
    if (errno == EEXIST) return taken("something else lies there");
    return taken(absl::StrCat(FromErrno(errno, "map").message(), " (limits: RLIMIT_AS, vm.max_map_count)"));
  }
  if (data != wanted) {  // Before Linux 4.17, or under a tool that knows no MAP_FIXED_NOREPLACE.
    os::Munmap(data, size);
    return taken("something else lies there");
  }
  os::Madvise(data, size, MADV_DONTFORK);
  return Reservation(static_cast<std::byte*>(data), size);
}

absl::StatusOr<Reservation> Reservation::Anywhere(size_t bytes) {
  constexpr int kAttempts = 64;
  const size_t slots = AddressWindow::SlotsFor(bytes);
  if (bytes == 0 || slots > AddressWindow::kFirstNamedSlot) {
    return absl::InvalidArgumentError(absl::StrCat(bytes, " bytes do not fit the addresses of shared regions"));
  }
  Random random;
  absl::Status last;
  for (int i = 0; i < kAttempts; ++i) {
    const size_t slot = random.Next() % (AddressWindow::kFirstNamedSlot - slots + 1);
    absl::StatusOr<Reservation> found = At(AddressWindow::AddressOf(slot), bytes);
    if (found.ok()) return found;
    last = found.status();
  }
  return absl::ResourceExhaustedError(absl::StrCat("no free addresses for a shared region of ", bytes, " bytes in ",
                                                   kAttempts, " attempts; the last: ", last.message()));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
