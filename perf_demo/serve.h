// The server: takes clients in, and answers their requests for files.

#ifndef SLUICE_PERF_DEMO_SERVE_H_
#define SLUICE_PERF_DEMO_SERVE_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "ipc_transport/pipe.h"
#include "perf_demo/choices.h"
#include "perf_demo/file_source.h"

namespace cache_demo {

struct ServeOptions {
  Mode mode = Mode::kClassic;
  ipc::WaitMode wait = ipc::WaitMode::kAdaptive;
  // As in ipc::SessionOptions.
  std::string run_folder = {};
  // The most that the files held for one client may take; 0: what the machine has.
  uint64_t memory_bytes = 0;
  // How many clients to serve, one after the other; 0: without end.
  int clients = 1;
};

// Serves `files`; calls `on_listening` once clients may connect. An answer is built for each client when it first asks
// for the file, and kept until it leaves. Returns OK after the last client has left in order and got all that it asked
// for; else the first error, of which those of earlier clients are logged as they happen.
// ALREADY_EXISTS: another server is alive. UNAVAILABLE: the client was killed. INVALID_ARGUMENT: it asked for an
// unknown file. RESOURCE_EXHAUSTED: there was no memory for a file.
absl::Status Serve(const FileSource& files, const ServeOptions& options, absl::FunctionRef<void()> on_listening);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_SERVE_H_
