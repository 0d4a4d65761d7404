// The two programs of the demo, as each of them knows both.

#ifndef SLUICE_PERF_DEMO_UNIVERSE_H_
#define SLUICE_PERF_DEMO_UNIVERSE_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_session/apps.h"

namespace cache_demo {

inline constexpr ipc::App kCacheClient{.name = "cacheCli"};
inline constexpr absl::string_view kMayConnect[] = {"cacheCli"};
inline constexpr ipc::ServerApp kCacheServer{.app = {.name = "cacheSrv"}, .allowed_clients = kMayConnect};

// How long an answer may take: a gigabyte is copied, and the machine may be busy with other things.
inline constexpr absl::Duration kAnswerTime = absl::Minutes(2);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_UNIVERSE_H_
