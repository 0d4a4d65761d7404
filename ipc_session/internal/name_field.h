// Names of apps in frames.

#ifndef SLUICE_IPC_SESSION_INTERNAL_NAME_FIELD_H_
#define SLUICE_IPC_SESSION_INTERNAL_NAME_FIELD_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// A name and zeros behind it.
using NameField = std::array<char, 32>;

NameField ToNameField(absl::string_view name);

// DATA_LOSS: not the name of an app, or not zeros behind it.
absl::StatusOr<std::string> FromNameField(const NameField& field);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_NAME_FIELD_H_
