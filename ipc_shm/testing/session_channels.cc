#include "ipc_shm/testing/session_channels.h"

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/segment_store.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/mq_pipe.h"
#include "ipc_transport/socket_pipe.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

SessionOptions ChannelsOptionsIn(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 2;
  options.arena_bytes = kChannelsArenaBytes;
  return options;
}

ChannelEnd EndOf(Session session) {
  const auto owner = std::make_shared<Session>(std::move(session));
  ChannelEnd end;
  end.owner = owner;
  end.store = owner->message_store();
  end.usage = [store = std::static_pointer_cast<::ipc::internal::SegmentStore>(end.store)] {
    store->Reclaim();
    const shm::ArenaStats stats = store->arena_stats();
    return absl::StrCat(stats.live_allocations, " segments of ", stats.allocated_bytes, " bytes");
  };
  for (int i = 0; i < owner->channel_count(); ++i) end.channels.push_back(owner->TakeChannel(i));
  return end;
}

namespace {

using Ends = std::pair<ChannelEnd, ChannelEnd>;

template <typename MakePair>
absl::StatusOr<Ends> OverPipes(absl::StatusOr<Ends> ends, MakePair make_pair) {
  if (!ends.ok()) return ends;
  for (size_t i = 0; i < ends->first.channels.size(); ++i) {
    auto pair = make_pair();
    if (!pair.ok()) return pair.status();
    ends->first.channels[i] = Channel(std::move(pair->first));
    ends->second.channels[i] = Channel(std::move(pair->second));
  }
  return ends;
}

}  // namespace

absl::StatusOr<Ends> OverSockets(absl::StatusOr<Ends> ends) {
  return OverPipes(std::move(ends), [] { return SocketPipe::CreatePair(); });
}

absl::StatusOr<Ends> OverMessageQueues(absl::StatusOr<Ends> ends) {
  // Within what the system allows by default.
  return OverPipes(std::move(ends), [] { return MqPipe::CreatePair({.max_message_bytes = 2048, .depth = 9}); });
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
