// The universe of guide.md.

#ifndef SLUICE_DOC_GUIDE_UNIVERSE_H_
#define SLUICE_DOC_GUIDE_UNIVERSE_H_

#include "absl/strings/string_view.h"
#include "ipc_session/apps.h"

// [guide
inline constexpr ipc::App kGreeter{.name = "greeter"};
inline constexpr absl::string_view kMayGreet[] = {"greeter"};
inline constexpr ipc::ServerApp kHost{.app = {.name = "host"}, .allowed_clients = kMayGreet};
// guide]

#endif  // SLUICE_DOC_GUIDE_UNIVERSE_H_
