// What can go wrong, and what to watch.

#ifndef SLUICE_EXAMPLES_STRUCTURED_TROUBLE_H_
#define SLUICE_EXAMPLES_STRUCTURED_TROUBLE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/structured/file_channel.h"
#include "examples/structured/files.capnp.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"

namespace files {

// [guide
enum class Remedy { kTryAgain, kConnectAgain, kGiveUp };
// guide]

// What to do about an error of a channel.
Remedy RemedyOf(const absl::Status& failure);

// Logs and returns true, unless the service is so far behind that it would have to wait.
absl::StatusOr<bool> LogUnlessBehind(FileChannel& channel, const std::string& line);

// Answers with `bytes` bytes, or says that there is no memory for them.
absl::Status AnswerContent(FileChannel& channel, uint64_t bytes, ipc::Incoming<Body>& request);

// One line for a monitor.
std::string Describe(const ipc::StructuredCounters& counters);

// At least half of all requests took no longer. Zero where none was measured.
absl::Duration MedianRoundTrip(const ipc::StructuredCounters& counters);

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_TROUBLE_H_
