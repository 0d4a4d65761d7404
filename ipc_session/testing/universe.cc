#include "ipc_session/testing/universe.h"

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr size_t kMaxTextBytes = 1024;

absl::StatusOr<std::string> TryAsk(Channel& channel, absl::string_view text) {
  SLUICE_RETURN_IF_ERROR(
      channel.Send(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size()), {}, TimeLimit()));
  std::vector<std::byte> buffer(kMaxTextBytes);
  SLUICE_ASSIGN_OR_RETURN(const size_t bytes, channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()));
  return std::string(reinterpret_cast<const char*>(buffer.data()), bytes);
}

}  // namespace

SessionOptions OptionsIn(const std::string& folder) {
  SessionOptions options;
  options.run_folder = folder;
  options.deadline = Deadline(TimeLimit());
  return options;
}

ServerOptions ServerOptionsIn(const std::string& folder) {
  return {.clients = {kTestClient}, .session = OptionsIn(folder), .login_timeout = TimeLimit()};
}

absl::Status Echo(Channel& channel) {
  std::vector<std::byte> buffer(kMaxTextBytes);
  while (true) {
    SLUICE_ASSIGN_OR_RETURN(const size_t bytes, channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()));
    SLUICE_RETURN_IF_ERROR(channel.Send(absl::MakeConstSpan(buffer).subspan(0, bytes), {}, TimeLimit()));
  }
}

std::string Ask(Channel& channel, absl::string_view text) {
  const absl::StatusOr<std::string> answer = TryAsk(channel, text);
  return answer.ok() ? *answer : answer.status().ToString();
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
