// Channels over each pipe, with and without a store.

#include "ipc_transport/structured/channel_conformance.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/mq_pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using testing::ChannelEnd;
using testing::FakeStore;
using Ends = std::pair<ChannelEnd, ChannelEnd>;

// Records of 1 KiB, so that all but the smallest messages are split.
constexpr RingPipeOptions kSmallRing = {.ring_bytes = 4096};
// Within what the system allows by default.
constexpr MqPipeOptions kMessageQueue = {.max_message_bytes = 2048, .depth = 9};
constexpr FakeStore::Limits kLimits = {.bytes = 50'000'000};

template <typename PipeType, typename Options>
absl::StatusOr<Ends> Connect(const Options& options) {
  Ends ends;
  for (int i = 0; i < 2; ++i) {
    auto pair = PipeType::CreatePair(options);
    if (!pair.ok()) return pair.status();
    ends.first.channels.emplace_back(std::move(pair->first));
    ends.second.channels.emplace_back(std::move(pair->second));
  }
  return ends;
}

template <typename PipeType, typename Options>
absl::StatusOr<ChannelEnd> ConnectOver(Fd socket, const Options& options) {
  SLUICE_ASSIGN_OR_RETURN(auto pipe, PipeType::FromSocket(std::move(socket), options));
  ChannelEnd end;
  end.channels.emplace_back(std::move(pipe));
  return end;
}

absl::StatusOr<Ends> WithStore(absl::StatusOr<Ends> ends) {
  if (!ends.ok()) return ends;
  auto [first, second] = FakeStore::CreatePair(kLimits);
  ends->first.usage = [store = first] { return store->usage(); };
  ends->second.usage = [store = second] { return store->usage(); };
  ends->first.store = std::move(first);
  ends->second.store = std::move(second);
  return ends;
}

absl::StatusOr<Ends> ConnectSocket() { return Connect<SocketPipe>(SocketPipeOptions()); }
absl::StatusOr<Ends> ConnectMq() { return Connect<MqPipe>(kMessageQueue); }
absl::StatusOr<Ends> ConnectRing() { return Connect<RingPipe>(RingPipeOptions()); }
absl::StatusOr<Ends> ConnectSmallRing() { return Connect<RingPipe>(kSmallRing); }
absl::StatusOr<Ends> ConnectRingWithStore() { return WithStore(ConnectRing()); }
absl::StatusOr<Ends> ConnectSmallRingWithStore() { return WithStore(ConnectSmallRing()); }

absl::StatusOr<ChannelEnd> OverSocket(Fd socket) {
  return ConnectOver<SocketPipe>(std::move(socket), SocketPipeOptions());
}
absl::StatusOr<ChannelEnd> OverMq(Fd socket) { return ConnectOver<MqPipe>(std::move(socket), kMessageQueue); }
absl::StatusOr<ChannelEnd> OverRing(Fd socket) { return ConnectOver<RingPipe>(std::move(socket), RingPipeOptions()); }
absl::StatusOr<ChannelEnd> OverSmallRing(Fd socket) { return ConnectOver<RingPipe>(std::move(socket), kSmallRing); }

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(SocketHeap, {.connect = &ipc::ConnectSocket, .connect_over = &ipc::OverSocket});
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(MqHeap, {.connect = &ipc::ConnectMq, .connect_over = &ipc::OverMq});
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(RingHeap, {.connect = &ipc::ConnectRing, .connect_over = &ipc::OverRing});
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(SmallRingHeap,
                                       {.connect = &ipc::ConnectSmallRing, .connect_over = &ipc::OverSmallRing});
// The store is within one process; peers in others have none.
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(RingStore, {.connect = &ipc::ConnectRingWithStore,
                                                   .connect_over = &ipc::OverRing,
                                                   .more_than_store_bytes = 60'000'000});
SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(SmallRingStore, {.connect = &ipc::ConnectSmallRingWithStore,
                                                        .connect_over = &ipc::OverSmallRing,
                                                        .more_than_store_bytes = 60'000'000});
