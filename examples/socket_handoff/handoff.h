// What passes from the front to a worker: a message per client, with its connected socket and the bytes that the front
// has read from it: the first line, and whatever came with it.

#ifndef SLUICE_EXAMPLES_SOCKET_HANDOFF_HANDOFF_H_
#define SLUICE_EXAMPLES_SOCKET_HANDOFF_HANDOFF_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace socket_handoff {

// How a first line begins; a name and '\n' follow.
inline constexpr absl::string_view kHello = "HELLO ";

// The longest first line, with its end.
inline constexpr size_t kMaxLineBytes = 256;

// The front reads no more of a client's bytes, so this is the largest message.
inline constexpr size_t kMaxFirstBytes = 4096;

}  // namespace socket_handoff

#endif  // SLUICE_EXAMPLES_SOCKET_HANDOFF_HANDOFF_H_
