#include "examples/published_index/reader.h"

#include <csignal>
#include <iostream>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "examples/published_index/index.h"
#include "examples/published_index/universe.h"
#include "ipc_shm/loan.h"
#include "ipc_transport/channel.h"

namespace published_index {
namespace {

absl::StatusOr<std::shared_ptr<const Index>> NextVersion(memory::Session& session, ipc::Channel& channel) {
  const absl::StatusOr<ipc::shm::LoanRef> ref = ipc::shm::ReceiveLoan(channel, absl::Seconds(5));
  if (!ref.ok()) return ref.status();
  return session.Borrow<Index>(*ref);
}

}  // namespace

absl::Status Follow(absl::string_view name, bool crashes) {
  absl::StatusOr<memory::Session> session =
      memory::Session::Connect(kReader, kPublisher, {.deadline = absl::Seconds(5), .wait_for_server = true});
  if (!session.ok()) return session.status();
  ipc::Channel channel = session->TakeChannel(0);
  int versions = 0;
  std::shared_ptr<const Index> index;  // Whoever assigns to it gives the version before back.
  do {
    absl::StatusOr<std::shared_ptr<const Index>> next = NextVersion(*session, channel);
    if (!next.ok()) return next.status();
    index = *std::move(next);
    ++versions;
    if (crashes) std::raise(SIGKILL);
  } while (!index->is_complete);
  std::cout << absl::StrCat(name, ": ", versions, " versions; \"the\" is on the lines ",
                            absl::StrJoin(index->lines_of_word.find("the")->second, ", "), "\n")
            << std::flush;
  return absl::OkStatus();
}

}  // namespace published_index
