#include "ipc_session/internal/name_field.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "ipc_session/apps.h"
#include "ipc_session/internal/frame_header.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

NameField ToNameField(absl::string_view name) {
  NameField field = {};
  std::copy_n(name.begin(), std::min(name.size(), field.size()), field.begin());
  return field;
}

absl::StatusOr<std::string> FromNameField(const NameField& field) {
  const auto end = absl::c_find(field, '\0');
  std::string name(field.begin(), end);
  const bool zeros = std::all_of(end, field.end(), [](char c) { return c == '\0'; });
  if (!zeros || !Validate(App{.name = name}).ok()) return MalformedFrame("an app's name cannot be");
  return name;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
