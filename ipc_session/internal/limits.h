// The bounds of a session that both sides of the protocol share.

#ifndef SLUICE_IPC_SESSION_INTERNAL_LIMITS_H_
#define SLUICE_IPC_SESSION_INTERNAL_LIMITS_H_

#include <cstddef>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

inline constexpr int kMaxChannels = 64;
inline constexpr size_t kMaxMetadataBytes = 4096;

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_LIMITS_H_
