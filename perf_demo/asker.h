// The server, as the client talks to it.

#ifndef SLUICE_PERF_DEMO_ASKER_H_
#define SLUICE_PERF_DEMO_ASKER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/choices.h"

namespace cache_demo {

// One thread.
class Asker {
 public:
  virtual ~Asker() = default;

  // Builds the request for a file, sends it and waits for the answer, which is valid until `Release`.
  // UNAVAILABLE: the server is gone. DEADLINE_EXCEEDED: too late.
  virtual absl::StatusOr<Body::Reader> Ask(const std::string& file_name, ipc::Deadline deadline) = 0;

  // Gives the last answer back.
  virtual void Release() = 0;

  virtual pid_t server_pid() const = 0;
};

struct AskerOptions {
  Mode mode = Mode::kClassic;
  ipc::WaitMode wait = ipc::WaitMode::kAdaptive;
  // As in ipc::SessionOptions.
  std::string run_folder = {};
  // Who to be; the server lets in `kCacheClient` alone.
  absl::string_view app = {};
  // Of the login.
  absl::Duration timeout = absl::Seconds(5);
};

// Connects to the server. Errors as ipc::Session::Connect.
absl::StatusOr<std::unique_ptr<Asker>> Connect(const AskerOptions& options);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_ASKER_H_
