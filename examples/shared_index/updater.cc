#include "examples/shared_index/updater.h"

#include <csignal>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/shared_index/index.h"
#include "examples/shared_index/universe.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_shm_classic/session.h"

namespace shared_index {
namespace {

constexpr absl::string_view kText[] = {
    "the pointer goes and the structure stays",
    "the structure stays where it was built",
    "whoever reads it follows the same pointer",
};

// New words and their lists lie in the arena of the scope.
absl::Status AddLine(Index& index, absl::string_view line, bool crashes) {
  absl::StatusOr<ipc::shm::RobustLock> lock = index.mutex.Lock(absl::Seconds(5));
  if (!lock.ok()) return lock.status();
  ++index.lines;
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    index.lines_of_word[ipc::shm::string(word)].push_back(index.lines);
  }
  if (crashes) std::raise(SIGKILL);
  index.changed.NotifyAll();
  return absl::OkStatus();
}

absl::Status Complete(Index& index) {
  absl::StatusOr<ipc::shm::RobustLock> lock = index.mutex.Lock(absl::Seconds(5));
  if (!lock.ok()) return lock.status();
  index.is_complete = true;
  index.changed.NotifyAll();
  return absl::OkStatus();
}

}  // namespace

absl::Status RunUpdater(bool crashes) {
  absl::StatusOr<memory::ClientSession> session = memory::ClientSession::Connect(kUpdater, kReader);
  if (!session.ok()) return session.status();
  absl::StatusOr<std::shared_ptr<Index>> index = session->arena().Construct<Index>();
  if (!index.ok()) return index.status();

  ipc::Channel channel = session->TakeChannel(0);
  absl::StatusOr<ipc::shm::Loan> loan = session->Lend(*index);
  if (!loan.ok()) return loan.status();
  if (absl::Status sent = ipc::shm::SendLoan(channel, *std::move(loan)); !sent.ok()) return sent;

  const ipc::shm::ArenaScope scope(session->arena());
  for (const absl::string_view line : kText) {
    if (absl::Status added = AddLine(**index, line, crashes && (*index)->lines == 1); !added.ok()) return added;
  }
  if (absl::Status completed = Complete(**index); !completed.ok()) return completed;
  // The reader ends the session when it has read enough.
  const absl::Status ended = session->WaitForEnd(absl::Seconds(5));
  return absl::IsUnavailable(ended) ? absl::OkStatus() : ended;
}

}  // namespace shared_index
