// Who may reach a server, and the exact file modes that say so.

#ifndef SLUICE_IPC_UTIL_PERMISSIONS_H_
#define SLUICE_IPC_UTIL_PERMISSIONS_H_

#include <sys/types.h>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {

enum class Permissions {
  kUser,      // The server's own uid (and root).
  kGroup,     // Its group too.
  kEveryone,  // Anyone on the machine.
};

// "user", "group" or "everyone".
absl::string_view Name(Permissions permissions);

// The mode of the run folder: 0700, 0750, 0755. Clients need to pass through it, never to write it.
mode_t RunFolderMode(Permissions permissions);

// The mode of the listening socket: 0600, 0660, 0666. connect(2) asks for write permission.
mode_t SocketMode(Permissions permissions);

// The mode of files that no other process opens (the lock): 0600.
mode_t PrivateFileMode();

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_PERMISSIONS_H_
