// A session between the two processes of a benchmark.

#ifndef SLUICE_PERF_DEMO_BENCHMARK_SESSION_H_
#define SLUICE_PERF_DEMO_BENCHMARK_SESSION_H_

#include <string>

#include "ipc_session/session.h"
#include "ipc_util/fd.h"
#include "perf_demo/choices.h"

namespace cache_demo {

// Both sides in `folder`, with a packet socket between them; they end the process if it fails. `mode` is not kSocket.
ipc::Session AcceptSession(Mode mode, const std::string& folder, ipc::FdView socket);
ipc::Session ConnectSession(Mode mode, const std::string& folder, ipc::FdView socket);

// The one side tells, the other waits for it. `Hear` ends the process if the peer has gone.
void Tell(ipc::FdView socket);
void Hear(ipc::FdView socket);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_BENCHMARK_SESSION_H_
