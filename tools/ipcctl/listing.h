// What ipcctl found out, and how it tells it.

#ifndef SLUICE_TOOLS_IPCCTL_LISTING_H_
#define SLUICE_TOOLS_IPCCTL_LISTING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_session/internal/ask_server.h"

namespace ipcctl {

struct Listing {
  struct Server {
    std::string socket;  // Its path.
    ipc::internal::AnsweredInquiry answer;
  };
  struct Problem {
    std::string path;  // Of a socket or a folder.
    absl::Status status;
  };

  int64_t taken_nanos = 0;  // By the monotonic clock.
  std::vector<Server> servers = {};
  std::vector<Problem> problems = {};
};

// Asks all servers of `folder`, or, if that is empty, of the folders where servers lie by default; each for so long at
// most. Sockets at which nobody listens are left out.
Listing AskAll(absl::string_view folder, absl::Duration limit);

// Lines for a terminal. With `before`, an earlier listing, channels have rates, too; null: none.
std::string ToTable(const Listing& listing, const Listing* before);

// One JSON object in one line.
std::string ToJson(const Listing& listing, const Listing* before);

// One line a problem, for standard error.
std::string ProblemsOf(const Listing& listing);

// The program's exit code: 0, every live server has answered; 1, there is none; 3, one may not be asked by this user;
// 4, one has not answered, or not as a server does. (2: bad arguments.)
int ExitCodeOf(const Listing& listing);

}  // namespace ipcctl

#endif  // SLUICE_TOOLS_IPCCTL_LISTING_H_
