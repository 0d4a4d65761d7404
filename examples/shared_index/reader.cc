#include "examples/shared_index/reader.h"

#include <iostream>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "examples/shared_index/index.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/channel.h"

namespace shared_index {
namespace {

// [guide
absl::StatusOr<std::shared_ptr<Index>> BorrowIndex(memory::Session& session, ipc::Channel& channel) {
  absl::StatusOr<ipc::shm::LoanRef> ref = ipc::shm::ReceiveLoan(channel, absl::Seconds(5));
  if (!ref.ok()) return ref.status();
  return session.BorrowMutable<Index>(*ref);  // To lock is to write. `Borrow` gives a const object.
}
// guide]

// [guide
// Returns with the lock held, once the index is complete.
absl::StatusOr<ipc::shm::RobustLock> Await(Index& index) {
  absl::StatusOr<ipc::shm::RobustLock> lock = index.mutex.Lock(absl::Seconds(5));
  if (!lock.ok()) return lock.status();
  while (!lock->owner_died() && !index.is_complete) {
    if (absl::Status waited = index.changed.Wait(*lock, absl::Seconds(5)); !waited.ok()) return waited;
  }
  if (!lock->owner_died()) return lock;
  return absl::UnavailableError(
      absl::StrCat("the updater was killed while it changed the index, at line ", index.lines));
}
// guide]

}  // namespace

absl::Status ServeOneUpdater(memory::Server& server) {
  absl::StatusOr<memory::Session> session = server.Accept(absl::Seconds(5));
  if (!session.ok()) return session.status();
  ipc::Channel channel = session->TakeChannel(0);
  absl::StatusOr<std::shared_ptr<Index>> index = BorrowIndex(*session, channel);
  if (!index.ok()) return index.status();

  absl::StatusOr<ipc::shm::RobustLock> lock = Await(**index);
  if (!lock.ok()) return lock.status();
  std::cout << (*index)->lines << " lines" << std::endl;
  for (const auto& [word, lines] : (*index)->lines_of_word) {
    if (lines.size() > 1) std::cout << word << ": " << absl::StrJoin(lines, ", ") << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace shared_index
