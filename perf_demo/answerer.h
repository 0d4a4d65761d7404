// One client, as the server talks to it; and the two ways to do so.

#ifndef SLUICE_PERF_DEMO_ANSWERER_H_
#define SLUICE_PERF_DEMO_ANSWERER_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_session/session.h"
#include "ipc_transport/pipe.h"
#include "perf_demo/file_source.h"

namespace cache_demo {

// Holds the answers that were built for the client. One thread; the session outlives it.
class Answerer {
 public:
  virtual ~Answerer() = default;

  // Waits for the next request; the name of the file that it asks for. Errors: the client is gone.
  virtual absl::StatusOr<std::string> NextRequest() = 0;

  // Builds the answer that carries `file` and keeps it, where the client will read it if memory is shared. `go_on` as
  // in BuildAnswer. RESOURCE_EXHAUSTED: no memory.
  virtual absl::Status Build(const File& file, absl::FunctionRef<absl::Status()> go_on) = 0;
  virtual bool Has(const std::string& file_name) const = 0;

  // Answers the request: with what was built for the file, or with an error.
  virtual absl::Status Answer(const std::string& file_name) = 0;
  virtual absl::Status Refuse(const absl::Status& error) = 0;
};

// Over the session's channel 0, in the session's memory.
absl::StatusOr<std::unique_ptr<Answerer>> AnswerOverChannel(ipc::Session& session, ipc::WaitMode wait);

// Over a stream socket of its own, which is handed to the client over channel 0.
absl::StatusOr<std::unique_ptr<Answerer>> AnswerOverStream(ipc::Session& session, ipc::WaitMode wait);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_ANSWERER_H_
