#include "ipc_shm/testing/session_channels.h"

#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "ipc_shm/arena.h"
#include "ipc_shm/internal/segment_store.h"

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
    store->Reclaim(std::numeric_limits<size_t>::max());
    const shm::ArenaStats stats = store->arena_stats();
    return absl::StrCat(stats.live_allocations, " segments of ", stats.allocated_bytes, " bytes");
  };
  for (int i = 0; i < owner->channel_count(); ++i) end.channels.push_back(owner->TakeChannel(i));
  return end;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
