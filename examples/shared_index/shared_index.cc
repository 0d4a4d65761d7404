// Two programs share a map of strings to vectors, guarded by a mutex that survives its holder: one fills it, the other
// reads it where it lies. The reader starts this program again as the updater; with the argument `crash`, that one is
// killed while it holds the lock.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/shared_index/reader.h"
#include "examples/shared_index/universe.h"
#include "examples/shared_index/updater.h"

namespace shared_index {
namespace {

absl::Status RunReader(char* program, bool updater_crashes) {
  absl::StatusOr<memory::Server> server = memory::Server::Listen(kReader, {.clients = {kUpdater}});
  if (!server.ok()) return server.status();
  char role[] = "updater";
  char crash[] = "crash";
  char* const arguments[] = {program, role, updater_crashes ? crash : nullptr, nullptr};
  pid_t updater;
  if (posix_spawn(&updater, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0) {
    return absl::InternalError("cannot start the updater");
  }
  const absl::Status served = ServeOneUpdater(*server);
  waitpid(updater, nullptr, 0);
  return served;
}

absl::Status Run(int argc, char** argv) {
  const auto is = [&](int index, absl::string_view word) { return argc > index && argv[index] == word; };
  if (is(1, "updater")) return RunUpdater(is(2, "crash"));
  return RunReader(argv[0], is(1, "crash"));
}

}  // namespace
}  // namespace shared_index

int main(int argc, char** argv) {
  const absl::Status status = shared_index::Run(argc, argv);
  if (!status.ok()) std::cerr << argv[0] << ": " << status << std::endl;
  return status.ok() ? 0 : 1;
}
