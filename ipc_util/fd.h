// Descriptors with an owner: `Fd` closes what it holds, `FdView` borrows it.

#ifndef SLUICE_IPC_UTIL_FD_H_
#define SLUICE_IPC_UTIL_FD_H_

#include <utility>

#include "absl/status/statusor.h"

namespace ipc {
inline namespace sluice_0 {

// A borrowed descriptor: valid as long as its owner keeps it open. Copy it freely; it closes nothing.
class FdView {
 public:
  constexpr FdView() = default;
  constexpr explicit FdView(int number) : number_(number) {}

  constexpr bool valid() const { return number_ >= 0; }

  // The number for a system call, -1 when there is none.
  constexpr int get() const { return number_; }

  friend constexpr bool operator==(FdView, FdView) = default;

 private:
  int number_ = -1;
};

// The sole owner of a descriptor. Move-only; closes it when destroyed. Any thread, one at a time.
class Fd {
 public:
  constexpr Fd() = default;
  // Takes `number` over. Negative: none.
  constexpr explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Close(); }

  bool valid() const { return number_ >= 0; }
  int get() const { return number_; }
  FdView view() const { return FdView(number_); }
  operator FdView() const { return view(); }  // NOLINT: an owner lends itself.

  // Gives the descriptor up without closing it; the caller owns the number.
  [[nodiscard]] int Release() { return std::exchange(number_, -1); }

  // Closes now what is held, if anything. Never fails: a descriptor is gone after close(2) whatever it returned.
  void Close();

 private:
  int number_ = -1;
};

// A second descriptor of the same open file, close-on-exec.
// INVALID_ARGUMENT: `fd` is not open. RESOURCE_EXHAUSTED: the process has too many (raise RLIMIT_NOFILE).
absl::StatusOr<Fd> Duplicate(FdView fd);

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_FD_H_
