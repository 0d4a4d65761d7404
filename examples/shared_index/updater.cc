#include "examples/shared_index/updater.h"

#include <csignal>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/shared_index/index.h"
#include "examples/shared_index/universe.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_transport/channel.h"

namespace shared_index {
namespace {

constexpr absl::string_view kText[] = {
    "the pointer goes and the structure stays",
    "the structure stays where it was built",
    "whoever reads it follows the same pointer",
};

// [guide
absl::StatusOr<std::shared_ptr<Index>> LendNewIndex(memory::Session& session, ipc::Channel& channel) {
  absl::StatusOr<std::shared_ptr<Index>> index = session.arena().Construct<Index>();
  if (!index.ok()) return index.status();
  absl::StatusOr<ipc::shm::Loan> loan = session.Lend(*index);
  if (!loan.ok()) return loan.status();
  if (absl::Status sent = ipc::shm::SendLoan(channel, *std::move(loan)); !sent.ok()) return sent;
  return index;
}
// guide]

// [guide
// New words and their lists lie in the arena of the caller's scope. `is_last`: the reader need not wait for more.
absl::Status AddLine(Index& index, absl::string_view line, bool is_last) {
  absl::StatusOr<ipc::shm::RobustLock> lock = index.mutex.Lock(absl::Seconds(5));
  if (!lock.ok()) return lock.status();
  ++index.lines;
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    index.lines_of_word[ipc::shm::string(word)].push_back(index.lines);
  }
  index.is_complete = is_last;
  index.changed.NotifyAll();
  return absl::OkStatus();
}
// guide]

// Dies amid a change.
void Crash(Index& index) {
  const absl::StatusOr<ipc::shm::RobustLock> lock = index.mutex.Lock(absl::Seconds(5));
  ++index.lines;
  std::raise(SIGKILL);
}

}  // namespace

absl::Status RunUpdater(bool crashes) {
  absl::StatusOr<memory::ClientSession> session = memory::ClientSession::Connect(kUpdater, kReader);
  if (!session.ok()) return session.status();
  ipc::Channel channel = session->TakeChannel(0);
  absl::StatusOr<std::shared_ptr<Index>> index = LendNewIndex(*session, channel);
  if (!index.ok()) return index.status();

  const ipc::shm::ArenaScope scope(session->arena());
  for (const absl::string_view line : kText) {
    if (crashes && (*index)->lines == 1) Crash(**index);
    if (absl::Status added = AddLine(**index, line, line == *std::rbegin(kText)); !added.ok()) return added;
  }
  // The reader ends the session when it has read enough.
  const absl::Status ended = session->WaitForEnd(absl::Seconds(5));
  return absl::IsUnavailable(ended) ? absl::OkStatus() : ended;
}

}  // namespace shared_index
