#include "ipc_shm/testing/loan_traffic.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr size_t kMostObjects = 30;
constexpr size_t kMostLoansOut = 60;
constexpr size_t kMostBorrowed = 30;
constexpr size_t kReclaimAll = 1'000'000;
// In place of a loan: the sender has come to the next step of its end.
constexpr shm::LoanRef kMet = {.offset = UINT64_MAX};

}  // namespace

LoanTraffic::LoanTraffic(Session& session, uint64_t seed, const LoanTrafficOptions& options)
    : channel_(session.TakeChannel(0)), arena_(internal::ArenaOf(session)), options_(options), random_(seed) {}

absl::Status LoanTraffic::Step() {
  switch (random_() % 10) {
    case 0:
    case 1:
      return owned_.size() < kMostObjects ? Construct() : absl::OkStatus();
    case 2:
    case 3:
      return Lend();
    case 4:
    case 5:
      return borrowed_.size() < kMostBorrowed ? BorrowOne(Deadline::Passed()).status() : absl::OkStatus();
    case 6:
      if (!owned_.empty()) {
        const Owned& owned = owned_[random_() % owned_.size()];
        // Containers that a reader may have change under its eyes otherwise.
        if (!owned.was_lent || options_.peers_write) Change(*owned.object, !owned.was_lent || !options_.peers_die);
      }
      return absl::OkStatus();
    case 7:
      if (!borrowed_.empty()) {
        const size_t chosen = random_() % borrowed_.size();
        SLUICE_RETURN_IF_ERROR(CheckOne(*borrowed_[chosen]));
        if (options_.peers_write) Change(const_cast<ModelObject&>(*borrowed_[chosen]), !options_.peers_die);
        SLUICE_RETURN_IF_ERROR(CheckOne(*borrowed_[chosen]));
        if (random_() % 2 == 0) borrowed_.erase(borrowed_.begin() + static_cast<ptrdiff_t>(chosen));
      }
      return absl::OkStatus();
    case 8:
      if (!owned_.empty()) {
        const size_t chosen = random_() % owned_.size();
        SLUICE_RETURN_IF_ERROR(CheckOne(*owned_[chosen].object));
        owned_.erase(owned_.begin() + static_cast<ptrdiff_t>(chosen));
      }
      return absl::OkStatus();
    default:
      arena_.Reclaim(random_() % 20);
      return absl::OkStatus();
  }
}

absl::Status LoanTraffic::Construct() {
  const size_t bytes = 1 + random_() % (size_t{1} << (random_() % 23));
  absl::StatusOr<std::shared_ptr<ModelObject>> object = arena_.Construct<ModelObject>(random_(), bytes);
  if (object.status().code() == absl::StatusCode::kResourceExhausted) {
    ++full_;
    if (!owned_.empty()) owned_.pop_back();
    ReclaimAll();
    return absl::OkStatus();
  }
  SLUICE_RETURN_IF_ERROR(object.status());
  owned_.push_back({.object = *std::move(object)});
  return absl::OkStatus();
}

absl::Status LoanTraffic::Lend() {
  if (owned_.empty()) return absl::OkStatus();
  if (arena_.loan_stats().loans_out >= kMostLoansOut) {
    ReclaimAll();
    return absl::OkStatus();
  }
  Owned& owned = owned_[random_() % owned_.size()];
  absl::StatusOr<shm::Loan> loan = arena_.Lend(owned.object);
  SLUICE_RETURN_IF_ERROR(loan.status());
  owned.was_lent = true;
  if (random_() % 8 == 0) return absl::OkStatus();  // Taken back unsent.
  SLUICE_RETURN_IF_ERROR(shm::SendLoan(channel_, *std::move(loan), Deadline::Passed()));
  ++lent_;
  return absl::OkStatus();
}

absl::StatusOr<bool> LoanTraffic::BorrowOne(Deadline deadline) {
  if (peer_met_) return false;
  const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel_, deadline);
  if (ref.status().code() == absl::StatusCode::kDeadlineExceeded) return false;
  SLUICE_RETURN_IF_ERROR(ref.status());
  if (*ref == kMet) {
    peer_met_ = true;
    return false;
  }
  std::shared_ptr<const ModelObject> object;
  if (options_.peers_write) {
    SLUICE_ASSIGN_OR_RETURN(object, arena_.BorrowMutable<ModelObject>(*ref));
  } else {
    SLUICE_ASSIGN_OR_RETURN(object, arena_.Borrow<ModelObject>(*ref));
  }
  SLUICE_RETURN_IF_ERROR(CheckOne(*object));
  borrowed_.push_back(std::move(object));
  ++borrowed_count_;
  return true;
}

absl::Status LoanTraffic::CheckOne(const ModelObject& object) const {
  shm::RobustLock lock;
  if (options_.peers_write) {
    absl::StatusOr<shm::RobustLock> locked = object.mutex.Lock(Deadline::Passed());
    if (locked.status().code() == absl::StatusCode::kDeadlineExceeded) return absl::OkStatus();
    SLUICE_RETURN_IF_ERROR(locked.status());
    lock = *std::move(locked);
    if (lock.owner_died()) {
      const_cast<ModelObject&>(object).RepairNumbers();
      lock.MakeConsistent();
    }
  }
  return object.IsGood() ? absl::OkStatus() : absl::DataLossError("an object is spoilt");
}

void LoanTraffic::Change(ModelObject& object, bool containers_too) {
  absl::StatusOr<shm::RobustLock> lock = object.mutex.Lock(Deadline::Passed());
  if (!lock.ok()) return;
  if (lock->owner_died()) {
    object.RepairNumbers();
    lock->MakeConsistent();
  }
  object.ChangeNumbers(random_);
  if (containers_too) object.ChangeContainers(random_);
}

void LoanTraffic::ReclaimAll() { arena_.Reclaim(kReclaimAll); }

absl::Status LoanTraffic::Check() const {
  for (const Owned& owned : owned_) SLUICE_RETURN_IF_ERROR(CheckOne(*owned.object));
  for (const auto& object : borrowed_) SLUICE_RETURN_IF_ERROR(CheckOne(*object));
  return absl::OkStatus();
}

absl::Status LoanTraffic::Meet() {
  SLUICE_RETURN_IF_ERROR(channel_.Send(kMet.ToBytes(), {}, TimeLimit()));
  while (!peer_met_) {
    SLUICE_ASSIGN_OR_RETURN(const bool borrowed, BorrowOne(TimeLimit()));
    if (!borrowed && !peer_met_) return absl::DeadlineExceededError("the peer does not come to the end");
  }
  peer_met_ = false;
  return absl::OkStatus();
}

absl::Status LoanTraffic::Finish() {
  SLUICE_RETURN_IF_ERROR(Meet());  // All that was sent is borrowed.
  SLUICE_RETURN_IF_ERROR(Check());
  borrowed_.clear();
  SLUICE_RETURN_IF_ERROR(Meet());  // Nothing is borrowed.
  owned_.clear();
  ReclaimAll();
  SLUICE_RETURN_IF_ERROR(Meet());  // What either side allocated in objects of the other is freed.
  return CheckEmpty();
}

absl::Status LoanTraffic::DisownAll() {
  owned_.clear();
  ReclaimAll();
  return CheckEmpty();
}

absl::Status LoanTraffic::CheckEmpty() const {
  const shm::LoanStats loans = arena_.loan_stats();
  const shm::ArenaStats arena = arena_.arena_stats();
  if (loans == shm::LoanStats() && arena.live_allocations == 0 && arena.allocated_bytes == 0 &&
      ModelObject::living() == 0) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("left: ", loans.objects, " objects, ", loans.loans_out, " loans, ",
                                          arena.live_allocations, " blocks of ", arena.allocated_bytes, " bytes, ",
                                          ModelObject::living(), " living"));
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
