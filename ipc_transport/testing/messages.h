// Messages whose bytes tell one from another, and pipes filled with them.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_MESSAGES_H_
#define SLUICE_IPC_TRANSPORT_TESTING_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

using Bytes = std::vector<std::byte>;

// So many small messages every pipe takes before the first is received.
inline constexpr uint32_t kFewMessages = 4;

// `size` bytes that `seed` decides.
Bytes MakeMessage(size_t size, uint32_t seed);

// The next message, waited for.
absl::StatusOr<Bytes> ReceiveMessage(Pipe& pipe, std::vector<Fd>* descriptors = nullptr);

// Sends `MakeMessage(size, 0)`, `MakeMessage(size, 1)`, ... until there is no room; returns how many went.
uint32_t Fill(Pipe& pipe, size_t size);

// A file descriptor that can be told from others, by its `text`, which `ReadAll` reads once.
Fd FileWith(absl::string_view text);
std::string ReadAll(FdView fd);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_MESSAGES_H_
