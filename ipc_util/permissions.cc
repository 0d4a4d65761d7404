#include "ipc_util/permissions.h"

namespace ipc {
inline namespace sluice_0 {

absl::string_view Name(Permissions permissions) {
  switch (permissions) {
    case Permissions::kUser:
      return "user";
    case Permissions::kGroup:
      return "group";
    case Permissions::kEveryone:
      return "everyone";
  }
  return "unknown";
}

mode_t RunFolderMode(Permissions permissions) {
  switch (permissions) {
    case Permissions::kUser:
      return 0700;
    case Permissions::kGroup:
      return 0750;
    case Permissions::kEveryone:
      return 0755;
  }
  return 0700;
}

mode_t SocketMode(Permissions permissions) {
  switch (permissions) {
    case Permissions::kUser:
      return 0600;
    case Permissions::kGroup:
      return 0660;
    case Permissions::kEveryone:
      return 0666;
  }
  return 0600;
}

mode_t PrivateFileMode() { return 0600; }

}  // namespace sluice_0
}  // namespace ipc
