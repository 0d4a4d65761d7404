// Loans of objects: what an owner hands to the peer so that it may read one.

#ifndef SLUICE_IPC_SHM_LOAN_H_
#define SLUICE_IPC_SHM_LOAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_shm/internal/loan_owner.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_util/deadline.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

// The right of the peer to borrow one object, once: 24 bytes without a pointer, for any message. Means something only
// to the session that it was lent in. Nothing in it is trusted.
struct LoanRef {
  static constexpr size_t kBytes = 24;

  uint64_t offset = 0;  // Of the object in its owner's region.
  uint32_t region = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;         // Of the slot.
  uint32_t object_generation = 0;  // A later object at the same place has another.

  std::array<std::byte, kBytes> ToBytes() const;

  // DATA_LOSS: they are not `kBytes`. The fields are checked by whoever borrows.
  static absl::StatusOr<LoanRef> FromBytes(absl::Span<const std::byte> bytes);

  friend bool operator==(const LoanRef&, const LoanRef&) = default;
};

// One loan on its way to the peer. Move-only; one that is destroyed unsent is taken back. Any thread, one at a time.
//
//   absl::StatusOr<Loan> loan = session.Lend(index);
//   absl::Status sent = SendLoan(channel, *std::move(loan), absl::Seconds(1));
//
// or, inside a message of one's own:
//
//   fill in loan->ref().ToBytes(), send the message, and then
//   std::move(*loan).Sent();
class Loan {
 public:
  Loan(Loan&& other) noexcept = default;
  Loan& operator=(Loan&& other) noexcept;
  ~Loan();

  const LoanRef& ref() const { return ref_; }

  // The peer has it, or will have: from now on it ends when the peer gives it back. To be called if, and only if, the
  // reference was sent: what is taken back may be destroyed at once.
  void Sent() &&;

  // It is about to be sent in message `message` of a channel of its session; for SendLoan.
  void GoesBy(std::shared_ptr<const internal::PeerEnd> peer_end, uint64_t message);

  // For sessions. `owner` takes it back.
  Loan(std::shared_ptr<internal::LoanOwner> owner, const LoanRef& ref);

 private:
  std::shared_ptr<internal::LoanOwner> owner_;  // Null: sent, or moved from.
  LoanRef ref_;
};

// Sends the reference as a message of its own. Errors as of `Channel::Send`; the loan is taken back then. So it is when
// the peer lets go of its end of a session's channel before it has received the message.
absl::Status SendLoan(Channel& channel, Loan loan, Deadline deadline = Deadline::Default());

// Waits for such a message. Errors as of `Channel::Receive`; INVALID_ARGUMENT: the next message is a larger one, and
// stays the next; DATA_LOSS: it was a smaller one.
absl::StatusOr<LoanRef> ReceiveLoan(Channel& channel, Deadline deadline = Deadline::Default());

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_LOAN_H_
