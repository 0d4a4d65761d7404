// The server's side of an answer: a file, cut in parts and read straight into the message.

#ifndef SLUICE_PERF_DEMO_BUILD_ANSWER_H_
#define SLUICE_PERF_DEMO_BUILD_ANSWER_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/file_source.h"

namespace cache_demo {

// How large the parts of a file are, the last one excepted.
uint64_t PartBytes(uint64_t file_bytes);

// Makes `body` the answer that carries `file`. `go_on` is asked each time after memory was allocated for a part and
// before it is filled; what it returns ends the building. Else errors of `File::Read`.
absl::Status BuildAnswer(const File& file, absl::FunctionRef<absl::Status()> go_on, Body::Builder body);

// Makes `body` the answer that there is none. `error` is not OK.
void BuildError(const absl::Status& error, Body::Builder body);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_BUILD_ANSWER_H_
