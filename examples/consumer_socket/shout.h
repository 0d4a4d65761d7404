// A service that answers each text in capital letters, over a socket.

#ifndef SHOUT_SHOUT_H_
#define SHOUT_SHOUT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shout {

// Listens at `path`, and answers what its first client says until that one goes.
absl::Status ServeOneClient(const std::string& path);

// `text` as a server at `path` shouts it; waits for one to start.
absl::StatusOr<std::string> Ask(const std::string& path, absl::string_view text);

}  // namespace shout

#endif  // SHOUT_SHOUT_H_
