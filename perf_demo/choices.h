// What the flags let one choose from, by name.

#ifndef SLUICE_PERF_DEMO_CHOICES_H_
#define SLUICE_PERF_DEMO_CHOICES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/pipe.h"

namespace cache_demo {

// How an answer gets to the client.
enum class Mode {
  kSocket,    // "socket": plain Cap'n Proto over a Unix stream socket; the baseline.
  kHeap,      // "heap": a structured channel of a session without shared memory for messages.
  kClassic,   // "classic": the same, in an arena that both sides write.
  kJemalloc,  // "jemalloc": the same, in an arena that its owner alone writes.
};

// Whether the client reads where the server wrote.
bool IsZeroCopy(Mode mode);

// Which parts of a file the client hashes.
enum class Verify {
  kFirst,  // "first"
  kAll,    // "all"
};

enum class Format {
  kTable,  // "table"
  kJson,   // "json"
  kTsv,    // "tsv"
};

// Where the two programs run.
enum class Cores {
  kAuto,  // "auto": as suits the way to wait.
  kAny,   // "any": where the scheduler puts them.
  kOne,   // "one": both on the same core.
  kTwo,   // "two": each on a core of its own.
};

absl::string_view Name(Mode mode);
absl::string_view Name(ipc::WaitMode wait);
absl::string_view Name(Verify verify);
absl::string_view Name(Cores cores);

// INVALID_ARGUMENT: no such name; the text has `flag`, the name, and those there are.
absl::StatusOr<Mode> ParseMode(absl::string_view flag, absl::string_view name);
absl::StatusOr<ipc::WaitMode> ParseWait(absl::string_view flag, absl::string_view name);
absl::StatusOr<Verify> ParseVerify(absl::string_view flag, absl::string_view name);
absl::StatusOr<Format> ParseFormat(absl::string_view flag, absl::string_view name);
absl::StatusOr<Cores> ParseCores(absl::string_view flag, absl::string_view name);

// A list with commas between, in its order. INVALID_ARGUMENT: as above, or one is listed twice.
absl::StatusOr<std::vector<Mode>> ParseModes(absl::string_view flag, absl::string_view names);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_CHOICES_H_
