#include "ipc_shm/loan.h"

#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

static_assert(sizeof(LoanRef) == LoanRef::kBytes && std::is_trivially_copyable_v<LoanRef>);
static_assert(std::has_unique_object_representations_v<LoanRef>);

std::array<std::byte, LoanRef::kBytes> LoanRef::ToBytes() const {
  std::array<std::byte, kBytes> bytes;
  std::memcpy(bytes.data(), this, kBytes);
  return bytes;
}

absl::StatusOr<LoanRef> LoanRef::FromBytes(absl::Span<const std::byte> bytes) {
  if (bytes.size() != kBytes) {
    return absl::DataLossError(absl::StrCat("a loan has ", kBytes, " bytes, not ", bytes.size()));
  }
  LoanRef ref;
  std::memcpy(&ref, bytes.data(), kBytes);
  return ref;
}

Loan::Loan(std::shared_ptr<internal::LoanOwner> owner, const LoanRef& ref) : owner_(std::move(owner)), ref_(ref) {}

Loan& Loan::operator=(Loan&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->TakeBack(ref_.slot);
  owner_ = std::move(other.owner_);
  ref_ = other.ref_;
  return *this;
}

Loan::~Loan() {
  if (owner_ != nullptr) owner_->TakeBack(ref_.slot);
}

void Loan::Sent() && { owner_ = nullptr; }

void Loan::GoesBy(std::shared_ptr<const internal::PeerEnd> peer_end, uint64_t message) {
  if (owner_ != nullptr) owner_->GoesBy(ref_.slot, std::move(peer_end), message);
}

absl::Status SendLoan(Channel& channel, Loan loan, Deadline deadline) {
  const std::array<std::byte, LoanRef::kBytes> bytes = loan.ref().ToBytes();
  if (const std::shared_ptr<Pipe> pipe = channel.pipe().lock(); pipe != nullptr && pipe->peer_end() != nullptr) {
    loan.GoesBy(pipe->peer_end(), pipe->messages_sent());  // Before it goes: the peer may be quick.
  }
  SLUICE_RETURN_IF_ERROR(channel.Send(bytes, {}, deadline));
  std::move(loan).Sent();
  internal::os::Point("loan.sent");
  return absl::OkStatus();
}

absl::StatusOr<LoanRef> ReceiveLoan(Channel& channel, Deadline deadline) {
  std::array<std::byte, LoanRef::kBytes> bytes;
  absl::StatusOr<size_t> size = channel.Receive(absl::MakeSpan(bytes), nullptr, deadline);
  if (!size.ok()) return size.status();
  return LoanRef::FromBytes(absl::MakeConstSpan(bytes.data(), *size));
}

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc
