// What a peer that breaks the channel protocol does to a session: it ends it with DATA_LOSS, and does nothing else.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/channel_frames.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AcceptFrame;
using ::ipc::internal::ChannelFrame;
using ::ipc::internal::LanePlace;
using ::ipc::internal::OpenFrame;
using ::ipc::internal::RefuseFrame;
using ::ipc::internal::RetireFrame;
using ::ipc::internal::SessionChannels;
using ::ipc::internal::WithdrawFrame;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

// The stranger is the server, so its numbers are odd; the core's begin one below.
constexpr uint32_t kOurs = 65536;
constexpr uint32_t kTheirs = 65537;

class HostilePeerTest : public ::testing::Test {
 protected:
  void Say(const ChannelFrame& frame, absl::Span<const FdView> descriptors = {}) {
    peer_.Send(Encode(frame), descriptors);
  }
  SessionChannels& channels() { return *peer_.core->channels(); }
  LanePlace Lane() const { return peer_.outbox.first_lane(10); }

  CoreAndStranger peer_ = MakeCoreAndStranger(1);
};

TEST_F(HostilePeerTest, AnHonestOneIsUnderstood) {
  Say(OpenFrame{.channel = kTheirs, .lane = Lane()});
  ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, channels().NextOffer(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Channel accepted, channels().Accept(offer.id, {}, TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const uint32_t id, channels().StartOpening({}));
  ASSERT_EQ(id, kOurs);
  Say(AcceptFrame{.channel = id, .lane = Lane()});
  ASSERT_OK_AND_ASSIGN(const Channel opened, channels().FinishOpening(id, TimeLimit()));
  Say(RetireFrame{.channel = id});
  Say(RetireFrame{.channel = kTheirs});
  EXPECT_OK(channels().Process());
}

// M5: one frame too early, too late, twice, or about what there is not.
TEST_F(HostilePeerTest, FramesOutOfPlaceEndTheSession) {
  const std::vector<std::vector<ChannelFrame>> scripts = {
      {AcceptFrame{.channel = kOurs, .lane = Lane()}},         // Not opened.
      {RefuseFrame{.channel = kOurs}},                         // The same.
      {RetireFrame{.channel = kOurs}},                         // The same.
      {RetireFrame{.channel = 0}, RetireFrame{.channel = 0}},  // Twice.
      {RetireFrame{.channel = 1}},                             // None.
      {WithdrawFrame{.channel = kTheirs}},                     // Not opened.
      {WithdrawFrame{.channel = kOurs}},                       // Not its own.
      {OpenFrame{.channel = kOurs, .lane = Lane()}},           // Not its number.
      {OpenFrame{.channel = 1, .lane = Lane()}},               // The same.
      {OpenFrame{.channel = kTheirs, .lane = Lane()}, OpenFrame{.channel = kTheirs, .lane = Lane()}},  // Twice.
      {OpenFrame{.channel = kTheirs + 2, .lane = Lane()}, OpenFrame{.channel = kTheirs, .lane = Lane()}},
      {OpenFrame{.channel = kTheirs, .lane = {peer_.outbox.bytes, 4096}}},    // Beyond the outbox.
      {OpenFrame{.channel = kTheirs, .lane = {0, 4096}}},                     // Over the counters.
      {OpenFrame{.channel = kTheirs, .lane = {Lane().offset, 4097}}},         // No ring.
      {OpenFrame{.channel = kTheirs, .pipe = PipeKind::kSocket}},             // Without its descriptor.
      {OpenFrame{.channel = kTheirs, .pipe = PipeKind::kMq, .lane = Lane()}}  // With a lane.
  };
  for (size_t i = 0; i < scripts.size(); ++i) {
    const CoreAndStranger peer = MakeCoreAndStranger(1);
    for (const ChannelFrame& frame : scripts[i]) peer.Send(Encode(frame));
    EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss)) << i;
    EXPECT_THAT(peer.core->channels()->StartOpening({}), StatusIs(kDataLoss)) << i;
  }
}

TEST_F(HostilePeerTest, AnAnswerIsGivenOnce) {
  const std::vector<std::vector<ChannelFrame>> scripts = {
      {AcceptFrame{.channel = kOurs, .lane = Lane()}, AcceptFrame{.channel = kOurs, .lane = Lane()}},
      {AcceptFrame{.channel = kOurs, .lane = Lane()}, RefuseFrame{.channel = kOurs}},
      {RefuseFrame{.channel = kOurs}, AcceptFrame{.channel = kOurs, .lane = Lane()}},
      {RetireFrame{.channel = kOurs}},
      {AcceptFrame{.channel = kOurs}},
      {AcceptFrame{.channel = kOurs, .lane = Lane()}, RetireFrame{.channel = kOurs}, RetireFrame{.channel = kOurs}},
  };
  for (size_t i = 0; i < scripts.size(); ++i) {
    const CoreAndStranger peer = MakeCoreAndStranger(1);
    ASSERT_THAT(peer.core->channels()->StartOpening({}), IsOkAndHolds(kOurs));
    for (const ChannelFrame& frame : scripts[i]) peer.Send(Encode(frame));
    EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss)) << i;
  }
}

// M1: whatever the bytes, the session goes on or ends, and nothing else happens.
TEST_F(HostilePeerTest, RandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const CoreAndStranger peer = MakeCoreAndStranger(1);
    std::string bytes(1 + random() % 100, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    bytes[0] = static_cast<char>(random() % 8);
    peer.Send(bytes);
    const absl::Status status = peer.core->channels()->Process();
    EXPECT_TRUE(status.ok() || status.code() == kDataLoss) << status;
  }
}

// D1, D2
TEST_F(HostilePeerTest, DescriptorsThatNobodyAskedForAreClosed) {
  const World before = World::Now();
  const Fd descriptor(dup(0));
  const FdView views[] = {descriptor, descriptor};
  for (const ChannelFrame& frame :
       std::vector<ChannelFrame>{RetireFrame{.channel = 0}, OpenFrame{.channel = kTheirs, .lane = Lane()}}) {
    const CoreAndStranger peer = MakeCoreAndStranger(1);
    peer.Send(Encode(frame), absl::MakeConstSpan(views, 1));
    EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss));
  }
  const CoreAndStranger peer = MakeCoreAndStranger(1);
  peer.Send(Encode(OpenFrame{.channel = kTheirs, .pipe = PipeKind::kSocket}), views);
  EXPECT_THAT(peer.core->channels()->Process(), StatusIs(kDataLoss, HasSubstr("came with 2 descriptors")));
}

// D2: what is no socket, and a socket over which nobody speaks.
TEST_F(HostilePeerTest, WrongDescriptorsForAPipeAreRefused) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]), writer(ends[1]);
  uint32_t id = kTheirs;
  for (const PipeKind kind : {PipeKind::kSocket, PipeKind::kMq}) {
    for (const FdView wrong : {reader.view(), writer.view()}) {
      Say(OpenFrame{.channel = id, .pipe = kind}, absl::MakeConstSpan(&wrong, 1));
      ASSERT_OK_AND_ASSIGN(const SessionChannels::Offer offer, channels().NextOffer(TimeLimit()));
      EXPECT_THAT(channels().Accept(offer.id, {}, TimeLimit()), StatusIs(kDataLoss, HasSubstr("no SEQPACKET socket")));
      id += 2;
    }
  }
  EXPECT_OK(channels().Process());
}

// B5: one that opens and reads nothing finds a bound.
TEST_F(HostilePeerTest, AFloodOfOpeningsIsRefusedAndThenEnded) {
  absl::Status status;
  for (uint32_t i = 0; i < 8 * ::ipc::internal::kMaxChannels && status.ok(); ++i) {
    Say(OpenFrame{.channel = kTheirs + 2 * i, .lane = Lane()});
    status = channels().Process();
  }
  EXPECT_THAT(status, StatusIs(kDataLoss, HasSubstr("reads no answer")));
}

}  // namespace
}  // namespace ipc::testing
