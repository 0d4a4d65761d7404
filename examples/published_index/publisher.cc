#include "examples/published_index/publisher.h"

#include <cstdint>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/published_index/index.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/loan.h"
#include "ipc_transport/channel.h"

namespace published_index {
namespace {

constexpr absl::string_view kText[] = {
    "the pointer goes and the structure stays",
    "the structure stays where it was built",
    "whoever reads it follows the same pointer",
};

struct Reader {
  memory::Session session;
  ipc::Channel channel;
};

absl::StatusOr<std::vector<Reader>> AcceptReaders(memory::Server& server, int count, const memory::OwnArena& arena) {
  std::vector<Reader> readers;
  while (static_cast<int>(readers.size()) < count) {
    absl::StatusOr<memory::Session> session = server.Accept(absl::Seconds(5));
    if (!session.ok()) return session.status();
    if (absl::Status shared = session->Share(arena); !shared.ok()) return shared;
    ipc::Channel channel = session->TakeChannel(0);
    readers.push_back({*std::move(session), std::move(channel)});
  }
  return readers;
}

// The next version: `last` and one more line. It lies in the arena with all that it contains.
absl::StatusOr<std::shared_ptr<const Index>> WithLine(memory::OwnArena& arena, const Index& last,
                                                      absl::string_view line, bool is_complete) {
  absl::StatusOr<std::shared_ptr<Index>> next = arena.Construct<Index>(last);
  if (!next.ok()) return next.status();
  ++(*next)->lines;
  (*next)->is_complete = is_complete;
  const ipc::shm::ArenaScope scope(arena);
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    (*next)->lines_of_word[ipc::shm::string(word)].push_back((*next)->lines);
  }
  return next;
}

absl::Status LendTo(Reader& reader, const std::shared_ptr<const Index>& index) {
  absl::StatusOr<ipc::shm::Loan> loan = reader.session.Lend(index);
  if (!loan.ok()) return loan.status();
  return ipc::shm::SendLoan(reader.channel, *std::move(loan));
}

}  // namespace

absl::Status Publish(memory::Server& server, int readers) {
  absl::StatusOr<memory::OwnArena> arena = memory::OwnArena::Create(uint64_t{64} << 20);
  if (!arena.ok()) return arena.status();
  absl::StatusOr<std::vector<Reader>> sessions = AcceptReaders(server, readers, *arena);
  if (!sessions.ok()) return sessions.status();

  absl::StatusOr<std::shared_ptr<const Index>> index = arena->Construct<Index>();
  for (const absl::string_view line : kText) {
    // The version before lives on until the last reader has let go of it.
    index = WithLine(*arena, **index, line, line == *std::rbegin(kText));
    if (!index.ok()) return index.status();
    for (Reader& reader : *sessions) {
      const absl::Status lent = LendTo(reader, *index);
      if (!lent.ok() && !absl::IsUnavailable(lent)) return lent;  // One that has gone needs no more.
    }
  }
  index = nullptr;
  for (Reader& reader : *sessions) {
    if (absl::Status ended = reader.session.WaitForEnd(absl::Seconds(5)); absl::IsDeadlineExceeded(ended)) return ended;
  }
  sessions->clear();
  arena->Reclaim(100);
  std::cout << "publisher: " << std::size(kText) << " versions, of which " << arena->loan_stats().objects
            << " are left in " << arena->arena_stats().allocated_bytes << " bytes" << std::endl;
  return absl::OkStatus();
}

}  // namespace published_index
