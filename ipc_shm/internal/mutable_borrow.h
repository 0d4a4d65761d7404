// Which kinds of session let both sides write an object.

#ifndef SLUICE_IPC_SHM_INTERNAL_MUTABLE_BORROW_H_
#define SLUICE_IPC_SHM_INTERNAL_MUTABLE_BORROW_H_

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Whether both sides of sessions of the kind may write each other's objects; specialized by those that allow it.
template <typename Kind>
inline constexpr bool kMayBorrowMutable = false;

// True, or it does not compile, and says why.
template <typename Kind>
constexpr bool CheckMayBorrowMutable() {
  static_assert(kMayBorrowMutable<Kind>,
                "this kind of session maps the peer's objects for reading only; use Borrow, or a classic session");
  return true;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_INTERNAL_MUTABLE_BORROW_H_
