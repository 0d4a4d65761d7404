// Two channels that are connected within one process, for tests.

#ifndef SLUICE_EXAMPLES_STRUCTURED_CONNECTED_H_
#define SLUICE_EXAMPLES_STRUCTURED_CONNECTED_H_

#include "examples/structured/file_channel.h"
#include "ipc_transport/structured/channel.h"

namespace files {

struct Connection {
  FileChannel client;
  FileChannel service;
};

// Over a ring and with messages on the heap; the options are those of either side. Throws if it cannot.
Connection Connect(const ipc::StructuredChannelOptions& client = {}, const ipc::StructuredChannelOptions& service = {});

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_CONNECTED_H_
