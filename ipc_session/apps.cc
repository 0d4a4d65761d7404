#include "ipc_session/apps.h"

#include <climits>
#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

constexpr size_t kMaxNameBytes = 32;
constexpr size_t kMaxShownBytes = 64;

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; }

// `value` as it can be shown in an error.
std::string Shown(absl::string_view value) {
  return absl::StrCat("\"", absl::CHexEscape(value.substr(0, kMaxShownBytes)),
                      value.size() > kMaxShownBytes ? "..." : "", "\"");
}

absl::Status ValidateName(absl::string_view field, absl::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes && absl::c_all_of(name, IsNameCharacter)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", Shown(name), "; an app's name has 1 to ", kMaxNameBytes,
                                                 " characters out of A-Z, a-z, 0-9, _ and -"));
}

absl::Status ValidateApp(absl::string_view field, const App& app) {
  SLUICE_RETURN_IF_ERROR(ValidateName(absl::StrCat(field, ".name"), app.name));
  if (app.executable.empty()) return absl::OkStatus();
  if (!absl::StartsWith(app.executable, "/") || app.executable.size() >= PATH_MAX ||
      absl::StrContains(app.executable, '\0')) {
    return absl::InvalidArgumentError(absl::StrCat(field, ".executable of app ", Shown(app.name), " is ",
                                                   Shown(app.executable),
                                                   "; give an absolute path, or none to leave it unchecked"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const App& app) { return ValidateApp("App", app); }

absl::Status Validate(const ServerApp& server) {
  SLUICE_RETURN_IF_ERROR(ValidateApp("ServerApp.app", server.app));
  const absl::Span<const absl::string_view> allowed = server.allowed_clients;
  if (allowed.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("ServerApp.allowed_clients of app ", Shown(server.app.name),
                                                   " is empty; name the apps that may connect"));
  }
  for (size_t i = 0; i < allowed.size(); ++i) {
    const std::string field = absl::StrCat("ServerApp.allowed_clients[", i, "]");
    SLUICE_RETURN_IF_ERROR(ValidateName(field, allowed[i]));
    if (absl::c_linear_search(allowed.subspan(0, i), allowed[i])) {
      return absl::InvalidArgumentError(absl::StrCat(field, " is ", Shown(allowed[i]), ", which is listed already"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice_0
}  // namespace ipc
