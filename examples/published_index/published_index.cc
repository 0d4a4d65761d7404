// One program publishes an index that grows; others read each version where it lies, and none waits for another. The
// publisher starts this program again as two readers; with the argument `crash`, one of them is killed with a version
// in its hands.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/published_index/publisher.h"
#include "examples/published_index/reader.h"
#include "examples/published_index/universe.h"

namespace published_index {
namespace {

constexpr int kReaders = 2;

absl::Status StartReader(char* program, std::string name, bool crashes) {
  char role[] = "reader";
  char crash[] = "crash";
  char* const arguments[] = {program, role, name.data(), crashes ? crash : nullptr, nullptr};
  pid_t reader;
  if (posix_spawn(&reader, "/proc/self/exe", nullptr, nullptr, arguments, environ) == 0) return absl::OkStatus();
  return absl::InternalError("cannot start a reader");
}

absl::Status RunPublisher(char* program, bool reader_crashes) {
  absl::StatusOr<memory::Server> server = memory::Server::Listen(kPublisher, {.clients = {kReader}});
  if (!server.ok()) return server.status();
  for (int i = 1; i <= kReaders; ++i) {
    const bool crashes = reader_crashes && i == 1;
    if (absl::Status started = StartReader(program, "reader " + std::to_string(i), crashes); !started.ok()) {
      return started;
    }
  }
  const absl::Status published = Publish(*server, kReaders);
  for (int i = 0; i < kReaders; ++i) wait(nullptr);
  return published;
}

absl::Status Run(int argc, char** argv) {
  const auto is = [&](int index, absl::string_view word) { return argc > index && argv[index] == word; };
  if (is(1, "reader") && argc > 2) return Follow(argv[2], is(3, "crash"));
  return RunPublisher(argv[0], is(1, "crash"));
}

}  // namespace
}  // namespace published_index

int main(int argc, char** argv) {
  const absl::Status status = published_index::Run(argc, argv);
  if (!status.ok()) std::cerr << argv[0] << ": " << status << std::endl;
  return status.ok() ? 0 : 1;
}
