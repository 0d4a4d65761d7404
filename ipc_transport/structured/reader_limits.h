// How much of a received message may be read.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_READER_LIMITS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_READER_LIMITS_H_

#include <cstdint>
#include <limits>

namespace ipc {
inline namespace sluice_0 {

// Cap'n Proto's readers throw kj::Exception where a limit is exceeded. By default, as between cooperating peers, a
// message may be as large, and be read as often, as its reader likes; only the depth, which costs stack, is bounded.
struct ReaderLimits {
  // Of all reads of one message together, each counted again; against messages that unfold to far more than they are.
  uint64_t traversal_bytes = std::numeric_limits<uint64_t>::max();
  // Of pointers behind pointers.
  int nesting = 64;
};

}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_READER_LIMITS_H_
