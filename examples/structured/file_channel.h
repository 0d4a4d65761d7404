// The channel of the examples.

#ifndef SLUICE_EXAMPLES_STRUCTURED_FILE_CHANNEL_H_
#define SLUICE_EXAMPLES_STRUCTURED_FILE_CHANNEL_H_

#include <map>
#include <string>

#include "examples/structured/files.capnp.h"
#include "ipc_transport/structured/channel.h"

namespace files {

// [guide
using FileChannel = ipc::StructuredChannel<Body>;

// What a service has: texts by name.
using Files = std::map<std::string, std::string>;
// guide]

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_FILE_CHANNEL_H_
