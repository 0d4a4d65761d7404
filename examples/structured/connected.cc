#include "examples/structured/connected.h"

#include <utility>

#include "ipc_transport/channel.h"
#include "ipc_transport/ring_pipe.h"

namespace files {

Connection Connect(const ipc::StructuredChannelOptions& client, const ipc::StructuredChannelOptions& service) {
  auto ends = ipc::RingPipe::CreatePair().value();
  return {.client = FileChannel::Upgrade(ipc::Channel(std::move(ends.first)), nullptr, client),
          .service = FileChannel::Upgrade(ipc::Channel(std::move(ends.second)), nullptr, service)};
}

}  // namespace files
