// What every structured channel must do, over whatever pipe and in whatever memory: one suite, stamped on each kind.
//
//   SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(Mine, {.connect = ..., .connect_over = ...});
//
// Link with //ipc_util/testing:test_main: the peer that gets killed is a process of its own.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_CONFORMANCE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_CONFORMANCE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// One side of a connection. Members are destroyed in the reverse order.
struct ChannelEnd {
  // Must outlive the rest, such as a session; may be null.
  std::shared_ptr<void> owner;
  // Null: messages lie on the heap.
  std::shared_ptr<MessageStore> store;
  // What this side's messages take of the store now, and what of it is lent: the same text means the same use. Gives
  // back first what can be given back. May be null.
  std::function<std::string()> usage;
  // The i-th is connected with the i-th of the other side.
  std::vector<Channel> channels;
};

// One kind of channel.
struct ChannelKindUnderTest {
  // Both sides in this process, with two channels.
  absl::StatusOr<std::pair<ChannelEnd, ChannelEnd>> (*connect)();
  // One side, with one channel, over a connected SEQPACKET socket; another process does the same.
  absl::StatusOr<ChannelEnd> (*connect_over)(Fd socket);
  // More than the store of one side holds; 0: it has no such limit. Should be small: a message of this size is built.
  size_t more_than_store_bytes = 0;
};

// Connects before each test; afterwards nothing may be left of what the test did.
class ChannelConformance : public ::testing::TestWithParam<ChannelKindUnderTest> {
 protected:
  using Parcel = sluice_test::Parcel;
  using ParcelChannel = StructuredChannel<Parcel>;

  void SetUp() override;
  void TearDown() override;

  // The two ends of connection `i`, to be had once.
  ParcelChannel Mine(size_t i = 0) { return Upgrade(mine_, i); }
  ParcelChannel Theirs(size_t i = 0) { return Upgrade(theirs_, i); }
  std::pair<ParcelChannel, ParcelChannel> Both() { return {Mine(), Theirs()}; }
  static ParcelChannel Upgrade(ChannelEnd& end, size_t i = 0) {
    return ParcelChannel::Upgrade(std::move(end.channels[i]), end.store);
  }

  // A message in the memory of `channel`, filled as `Fill` does.
  static Message<Parcel> Built(ParcelChannel& channel, uint64_t number, size_t parts = 0, size_t bytes = 0);
  // The next message, waited for, and expected to be filled so.
  static void ExpectParcel(ParcelChannel& channel, uint64_t number, size_t parts = 0, size_t bytes = 0);
  // Answers `requests` requests with their numbers plus 1, and parts as the requests have.
  static void Serve(ParcelChannel& channel, int requests);

  static std::string UsageOf(const ChannelEnd& end) { return end.usage ? end.usage() : ""; }

  ChannelEnd mine_;
  ChannelEnd theirs_;

 private:
  World world_;
  std::string usage_[2];
};

// Makes the kind known to the role of the peer; done by the macro below.
int RegisterPeer(absl::StatusOr<ChannelEnd> (*connect_over)(Fd socket));

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// Several kinds may be in one test program.
#define SLUICE_INSTANTIATE_CHANNEL_CONFORMANCE(name, ...)                                \
  static const ::ipc::testing::ChannelKindUnderTest kind_##name = __VA_ARGS__;           \
  static const int peer_##name = ::ipc::testing::RegisterPeer(kind_##name.connect_over); \
  namespace ipc {                                                                        \
  inline namespace sluice_0 {                                                            \
  namespace testing {                                                                    \
  INSTANTIATE_TEST_SUITE_P(name, ChannelConformance, ::testing::Values(kind_##name));    \
  }                                                                                      \
  }                                                                                      \
  }                                                                                      \
  static_assert(true)

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_CHANNEL_CONFORMANCE_H_
