// Everything of an event loop example but its loop.

#ifndef SLUICE_EXAMPLES_EVENT_LOOP_PROGRAM_H_
#define SLUICE_EXAMPLES_EVENT_LOOP_PROGRAM_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "examples/event_loop/service.h"

namespace event_loop {

inline constexpr absl::Duration kTick = absl::Milliseconds(5);

// Serves both until both have ended, and counts a tick every `kTick`. An error is one of the loop itself.
using Loop = absl::Status (*)(Service& ring, Service& socket, Figures& figures);

// The body of `main`: starts the peer, runs `loop`, and tells what passed. With the argument `crash` the peer dies amid
// its requests. Returns the exit code: 0 if all went well.
int RunProgram(int argc, char** argv, Loop loop);

}  // namespace event_loop

#endif  // SLUICE_EXAMPLES_EVENT_LOOP_PROGRAM_H_
