// The bounds of a session that both sides of the protocol share.

#ifndef SLUICE_IPC_SESSION_INTERNAL_LIMITS_H_
#define SLUICE_IPC_SESSION_INTERNAL_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Channels of a session at a time, whoever opened them.
inline constexpr int kMaxChannels = 4096;
inline constexpr size_t kMaxMetadataBytes = 4096;
// Regions that a side announces after the login.
inline constexpr uint32_t kMaxLaterRegions = 16;
// An eighth of the largest region: it may hold both sides' arenas, each with several times its size in addresses.
inline constexpr uint64_t kMaxArenaBytes = uint64_t{1} << 37;

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_LIMITS_H_
