// A session with a service in a process of its own, for tests.

#ifndef SLUICE_EXAMPLES_STRUCTURED_MEETING_H_
#define SLUICE_EXAMPLES_STRUCTURED_MEETING_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_shm_classic/session.h"

namespace files {

// Both sides get two channels, in shared memory.
namespace memory = ipc::session::shm::classic;

// In the service's process: tells the parent "listening", and runs `serve` for one client, with `arena_bytes` for its
// messages. Returns the exit code: 0 where `serve` was OK, and the client left by itself.
int ServeIn(const std::string& folder, uint64_t arena_bytes, absl::FunctionRef<absl::Status(memory::Session&)> serve);

// The client's side.
absl::StatusOr<memory::Session> MeetIn(const std::string& folder);

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_MEETING_H_
