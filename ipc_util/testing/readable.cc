#include "ipc_util/testing/readable.h"

#include <poll.h>

#include "absl/time/time.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

bool Poll(FdView fd, absl::Duration timeout) {
  pollfd poll_fd = {.fd = fd.get(), .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) == 1;
}

}  // namespace

bool IsReadable(FdView fd) { return Poll(fd, absl::ZeroDuration()); }

bool BecomesReadable(FdView fd) { return Poll(fd, TimeLimit()); }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
