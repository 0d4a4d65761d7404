// A session between the two processes of a benchmark.

#ifndef SLUICE_PERF_DEMO_BENCHMARK_SESSION_H_
#define SLUICE_PERF_DEMO_BENCHMARK_SESSION_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_util/fd.h"
#include "perf_demo/choices.h"

namespace cache_demo {

// All end the process if they fail. `mode` is not kSocket; `options.run_folder` is not used.

// Listens in `folder`; each call accepts one session.
absl::AnyInvocable<ipc::Session()> ListenIn(Mode mode, const std::string& folder,
                                            const ipc::SessionOptions& options = {});
// Connects to who listens there.
ipc::Session ConnectIn(Mode mode, const std::string& folder, const ipc::SessionOptions& options = {});

// Both sides of one session, with a packet socket between them, by which the one tells that it listens.
ipc::Session AcceptSession(Mode mode, const std::string& folder, ipc::FdView socket,
                           const ipc::SessionOptions& options = {});
ipc::Session ConnectSession(Mode mode, const std::string& folder, ipc::FdView socket,
                            const ipc::SessionOptions& options = {});

// The one side tells, the other waits for it. `Hear` ends the process if the peer has gone.
void Tell(ipc::FdView socket);
void Hear(ipc::FdView socket);

// Spins until the peer has raised `word`, with release, to `value`; ends the process if it does not in half a minute.
void Await(const std::atomic<uint64_t>& word, uint64_t value);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_BENCHMARK_SESSION_H_
