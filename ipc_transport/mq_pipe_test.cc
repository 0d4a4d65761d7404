#include "ipc_transport/mq_pipe.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/mq_handshake.h"
#include "ipc_transport/internal/mq_queue.h"
#include "ipc_transport/internal/ring_handshake.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_transport/testing/mq_world.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/user.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::AllOf;
using testing::Child;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::MakeMessage;
using testing::MqNames;
using ::testing::SizeIs;
using testing::StatusIs;

const bool own_world = testing::MqWorldForAllTests();

// All tests of a user share the user's bytes in queues.
constexpr MqPipeOptions kSmall = {.max_message_bytes = 2048, .depth = 4};

absl::StatusOr<testing::PipePair> MakePair() {
  auto pair = MqPipe::CreatePair(kSmall);
  if (!pair.ok()) return pair.status();
  return testing::PipePair(std::move(pair->first), std::move(pair->second));
}

absl::StatusOr<std::unique_ptr<Pipe>> MakeFromSocket(Fd socket) {
  return MqPipe::FromSocket(std::move(socket), kSmall);
}

// Makes its end over what it inherits.
SLUICE_CHILD_ROLE(mq_maker) {
  const absl::StatusOr<std::unique_ptr<Pipe>> pipe = MakeFromSocket(testing::InheritedFd());
  if (!pipe.ok()) return 1;
  testing::TellParent("made");
  testing::HearParent();
  return 0;
}

Child StartMaker(const Fd& socket, const testing::OsInstruction& instruction) {
  return Child::Start("mq_maker", {}, {.environment = {testing::OsEnvironment({instruction})}, .inherited = socket});
}

class MqNamesLeftTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::IsInMqWorld()) GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, for a /dev/mqueue of its own";
  }
};

// K1, S1: what a killed maker leaves, the next one removes.
TEST_F(MqNamesLeftTest, TheNextMakerRemovesThoseOfOneThatWasKilled) {
  for (const auto& [point, left] : std::vector<std::pair<const char*, size_t>>{
           {"mq.created", 1}, {"mq.opened", 1}, {"mq.unlinked", 0}, {"mq.hello.sent", 0}, {"mq.hello.received", 0}}) {
    SCOPED_TRACE(point);
    auto [here, there] = testing::MakeSocketPair();
    ASSERT_OK_AND_ASSIGN(auto own,
                         internal::MqHandshake::Create(std::move(here), {.message_bytes = 64, .messages = 2}));
    ASSERT_OK(own.Send(testing::TimeLimit()));
    Child child = StartMaker(there, testing::KillAt(point));
    ASSERT_EQ(child.Wait(), -SIGKILL);
    EXPECT_THAT(MqNames(), SizeIs(left));
    EXPECT_THAT(MakePair(), IsOk());
    EXPECT_THAT(MqNames(), IsEmpty());
  }
}

// S1: not those of a live one, however long it takes.
TEST_F(MqNamesLeftTest, ThoseOfALiveMakerStay) {
  auto [here, there] = testing::MakeSocketPair();
  Child child = StartMaker(there, testing::StopAt("mq.created"));
  child.WaitUntilStopped();
  ASSERT_THAT(MqNames(), SizeIs(1));
  EXPECT_THAT(MakePair(), IsOk());
  EXPECT_THAT(MqNames(), SizeIs(1));
  child.Continue();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Pipe> pipe, MakeFromSocket(std::move(here)));
  EXPECT_EQ(child.Hear(), "made");
  EXPECT_THAT(MqNames(), IsEmpty());
}

// F8: there is no name that systemd could remove at a logout.
TEST_F(MqNamesLeftTest, APipeHasNone) {
  ASSERT_OK_AND_ASSIGN(auto pair, MqPipe::CreatePair(kSmall));
  EXPECT_THAT(MqNames(), IsEmpty());
  ASSERT_OK(pair.first->Send(MakeMessage(10, 1)));
  EXPECT_THAT(testing::ReceiveMessage(*pair.second), IsOkAndHolds(MakeMessage(10, 1)));
}

// Makes as many pairs with the default options as the user's limit allows, and tells what became of the last.
SLUICE_CHILD_ROLE(greedy_user) {
  if (!testing::EnterMqWorld()) {
    testing::TellParent("may not");
    return 0;
  }
  testing::BecomeUser(100'000 + static_cast<uid_t>(getpid()), testing::kOtherGid);
  std::vector<std::pair<std::unique_ptr<MqPipe>, std::unique_ptr<MqPipe>>> pairs;
  while (pairs.size() < 100) {
    auto pair = MqPipe::CreatePair();
    if (!pair.ok()) {
      testing::TellParent(absl::StrCat(pairs.size(), " pairs: ", pair.status().ToString()));
      break;
    }
    pairs.push_back(*std::move(pair));
  }
  testing::TellParent(absl::StrCat(MqNames().size(), " names"));
  pairs.pop_back();
  return MqPipe::CreatePair().ok() ? 0 : 1;
}

// R4: what Linux allows without being told otherwise holds nine pairs, and the tenth leaves no half of one.
TEST(MqPipeTest, TheDefaultsFitIntoTheDefaultLimits) {
  if (!testing::CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  Child child = Child::Start("greedy_user");
  const std::string heard = child.Hear();
  if (heard == "may not") GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, for limits of its own";
  EXPECT_THAT(heard, AllOf(HasSubstr("9 pairs: RESOURCE_EXHAUSTED"), HasSubstr("the 819200 of RLIMIT_MSGQUEUE")));
  EXPECT_EQ(child.Hear(), "0 names");
  EXPECT_EQ(child.Wait(), 0);
}

// Makes a pair where there is no /dev/mqueue, and one where there is no /proc either.
SLUICE_CHILD_ROLE(bare_system) {
  if (!testing::EnterMqWorld() || umount2("/dev/mqueue", MNT_DETACH) != 0) {
    testing::TellParent("may not");
    return 0;
  }
  const auto pass_message = []() -> absl::Status {
    auto pair = MqPipe::CreatePair(kSmall);
    if (!pair.ok()) return pair.status();
    const absl::Status sent = pair->first->Send(MakeMessage(10, 1));
    if (!sent.ok()) return sent;
    return testing::ReceiveMessage(*pair->second).status();
  };
  testing::TellParent(pass_message().ToString());
  if (mount("tmpfs", "/proc", "tmpfs", 0, nullptr) != 0) return 1;
  testing::TellParent(pass_message().ToString());
  return umount2("/proc", MNT_DETACH) == 0 ? 0 : 2;  // Sanitizers want to see it in the end.
}

// N2
TEST(MqPipeTest, NeedsNeitherProcNorTheListOfNames) {
  Child child = Child::Start("bare_system");
  const std::string heard = child.Hear();
  if (heard == "may not") GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, to unmount things";
  EXPECT_EQ(heard, "OK");
  EXPECT_EQ(child.Hear(), "OK");
  EXPECT_EQ(child.Wait(), 0);
}

TEST(MqPipeTest, CarriesTheLesserOfBothSizes) {
  auto [here, there] = testing::MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(auto peer,
                       internal::MqHandshake::Create(std::move(there), {.message_bytes = 116, .messages = 2}));
  ASSERT_OK(peer.Send(testing::TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const auto pipe, MqPipe::FromSocket(std::move(here), kSmall));
  EXPECT_EQ(pipe->max_message_bytes(), 100u);
}

TEST(MqPipeTest, HoldsAsManyMessagesAsItsDepth) {
  for (const size_t depth : {size_t{1}, size_t{2}, size_t{5}}) {
    ASSERT_OK_AND_ASSIGN(auto pair, MqPipe::CreatePair({.max_message_bytes = 100, .depth = depth}));
    EXPECT_EQ(testing::Fill(*pair.first, 100), depth);
  }
}

// The sender learns of the peer's end first, with messages of the peer still in the queue.
TEST(MqPipeTest, WhatCameBeforeTheEndIsReceivedAfterIt) {
  ASSERT_OK_AND_ASSIGN(const auto pair, MakePair());
  for (uint32_t i = 0; i < 2; ++i) ASSERT_OK(pair.first->Send(MakeMessage(10, i)));
  pair.first->Close();
  absl::StatusOr<bool> sent = true;
  while (sent.ok()) sent = pair.second->TrySend(MakeMessage(10, 0));
  EXPECT_EQ(ReasonOf(sent.status()), Reason::kGoodbye);
  for (uint32_t i = 0; i < 2; ++i) EXPECT_THAT(testing::ReceiveMessage(*pair.second), IsOkAndHolds(MakeMessage(10, i)));
  EXPECT_EQ(ReasonOf(testing::ReceiveMessage(*pair.second).status()), Reason::kGoodbye);
}

TEST(MqPipeTest, RefusesBadOptions) {
  for (const MqPipeOptions& options :
       {MqPipeOptions{.max_message_bytes = 0}, MqPipeOptions{.max_message_bytes = (1 << 24) - 15},
        MqPipeOptions{.depth = 0}, MqPipeOptions{.depth = 65536}}) {
    EXPECT_THAT(MqPipe::CreatePair(options), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  auto [stream, other] = testing::MakeSocketPair(SOCK_STREAM);
  EXPECT_THAT(MqPipe::FromSocket(std::move(stream)), StatusIs(absl::StatusCode::kInvalidArgument));
}

// V1: a pipe of another kind at the other end.
TEST(MqPipeTest, APeerThatMakesARingPipeIsRefused) {
  auto [here, there] = testing::MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(auto ring, internal::RingHandshake::Create(std::move(there), 4096));
  ASSERT_OK(ring.Send(testing::TimeLimit()));
  EXPECT_THAT(MqPipe::FromSocket(std::move(here), kSmall, Deadline::Passed()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(MqPipeTest, FromSocketWaitsNoLongerThanTheDeadline) {
  auto [here, there] = testing::MakeSocketPair();
  EXPECT_THAT(MqPipe::FromSocket(std::move(here), kSmall, Deadline::Passed()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// R2, R3, R4: each call in turn fails, until all pass; nothing is left behind.
TEST(MqPipeTest, FromSocketSurvivesEachFailingCall) {
  const testing::World before = testing::World::Now();
  for (const char* const function : {"GetSockOpt", "MqOpen", "Fchmod", "Fstat", "SendMsg", "RecvMsg", "Fcntl",
                                     "MqGetAttr", "EventFd", "EpollCreate", "EpollCtl"}) {
    bool survived = false;
    for (int nth = 1; !survived; ++nth) {
      ASSERT_LT(nth, 20) << function;
      {
        auto [here, there] = testing::MakeSocketPair();
        ASSERT_OK_AND_ASSIGN(auto peer,
                             internal::MqHandshake::Create(std::move(there), {.message_bytes = 64, .messages = 2}));
        ASSERT_OK(peer.Send(testing::TimeLimit()));
        const testing::OsTesting os({testing::FailCall(function, EMFILE, {.first = nth})});
        const auto pipe = MqPipe::FromSocket(std::move(here), kSmall, Deadline::Passed());
        survived = os.interventions() == 0;
        EXPECT_EQ(pipe.ok(), survived) << function << " " << nth << ": " << pipe.status();
        EXPECT_TRUE(nth > 1 || !survived) << function << " is not called";
      }
      EXPECT_EQ(testing::World::Now(), before) << function << " " << nth;
    }
  }
}

// R2, R4
TEST(MqPipeTest, CreatePairLeavesNoHalfOfAPair) {
  const testing::World before = testing::World::Now();
  for (int nth = 1; nth <= 4; ++nth) {
    const testing::OsTesting os({testing::FailCall("MqOpen", EMFILE, {.first = nth})});
    EXPECT_THAT(MqPipe::CreatePair(kSmall), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(testing::World::Now(), before) << nth;
  }
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

// Where a peer that is killed leaves a name, MqNamesLeftTest has it killed.
SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Mq, {.create_pair = &ipc::MakePair,
                                         .from_socket = &ipc::MakeFromSocket,
                                         .points = {"mq.unlinked", "mq.hello.sent", "mq.hello.received"}});
