#include "ipc_transport/boost_mq_pipe.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
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
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using testing::Child;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::MakeMessage;
using testing::StatusIs;

const bool own_world = testing::MqWorldForAllTests();

absl::StatusOr<testing::PipePair> MakePair() {
  auto pair = BoostMqPipe::CreatePair();
  if (!pair.ok()) return pair.status();
  return testing::PipePair(std::move(pair->first), std::move(pair->second));
}

absl::StatusOr<std::unique_ptr<Pipe>> MakeFromSocket(Fd socket) { return BoostMqPipe::FromSocket(std::move(socket)); }

// Names of queues in /dev/shm.
size_t NamesLeft() {
  size_t names = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    names += entry.path().filename().string().starts_with("sluice-mq.");
  }
  return names;
}

// Makes its end over what it inherits.
SLUICE_CHILD_ROLE(boost_maker) { return MakeFromSocket(testing::InheritedFd()).ok() ? 0 : 1; }

// K1, S1
TEST(BoostMqPipeTest, TheNextMakerRemovesTheNamesOfOneThatWasKilled) {
  if (!testing::IsInMqWorld()) GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, for a /dev/shm of its own";
  for (const char* const point : {"mq.created", "mq.name.sent", "mq.name.received", "mq.opened.sent"}) {
    SCOPED_TRACE(point);
    auto [here, there] = testing::MakeSocketPair();
    Child child = Child::Start("boost_maker", {},
                               {.environment = {testing::OsEnvironment({testing::KillAt(point)})}, .inherited = there});
    there.Close();
    const absl::StatusOr<std::unique_ptr<Pipe>> pipe = MakeFromSocket(std::move(here));
    EXPECT_TRUE(absl::IsUnavailable(pipe.ok() ? testing::ReceiveMessage(**pipe).status() : pipe.status()));
    ASSERT_EQ(child.Wait(), -SIGKILL);
    EXPECT_LE(NamesLeft(), 1u) << "0 where it died before this side made its queue";
    EXPECT_THAT(MakePair(), IsOk());
    EXPECT_EQ(NamesLeft(), 0u);
  }
}

// What the child does inside the lock.
int signal_inside_lock = 0;

void RaiseInsideLock(int) {
  raise(signal_inside_lock);
  _exit(3);
}

// Makes all but the first page of each queue unwritable: the lock lies in the first, most of a message beyond.
void ProtectMessages() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (line.find("/dev/shm/sluice-mq.") == std::string::npos ||
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &begin, &end) != 2) {
      continue;
    }
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    mprotect(reinterpret_cast<void*>(begin + page), end - begin - page, PROT_READ);
  }
}

// Sends a message, and gets a signal in the midst of it, while it holds the lock. Argument: the signal.
SLUICE_CHILD_ROLE(dies_inside_lock) {
  const absl::StatusOr<std::unique_ptr<Pipe>> pipe = MakeFromSocket(testing::InheritedFd());
  if (!pipe.ok()) return 1;
  ProtectMessages();
  signal_inside_lock = std::stoi(arguments[0]);
  signal(SIGSEGV, &RaiseInsideLock);
  (*pipe)->Send(MakeMessage((*pipe)->max_message_bytes(), 1)).IgnoreError();
  return 2;
}

// K4: a peer that is killed inside the lock is an error, not a hang.
TEST(BoostMqPipeTest, APeerThatIsKilledInsideTheLockIsNoticed) {
  auto [here, there] = testing::MakeSocketPair();
  Child child = Child::Start("dies_inside_lock", {std::to_string(SIGKILL)}, {.environment = {}, .inherited = there});
  there.Close();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Pipe> pipe, MakeFromSocket(std::move(here)));
  ASSERT_EQ(child.Wait(), -SIGKILL);
  EXPECT_THAT(testing::ReceiveMessage(*pipe), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(pipe->Send(MakeMessage(1, 1)), StatusIs(absl::StatusCode::kUnavailable));
}

// B3: the same for one that is stopped there; only the lock's time limit can tell.
TEST(BoostMqPipeTest, APeerThatIsStoppedInsideTheLockIsNoticed) {
  auto [here, there] = testing::MakeSocketPair();
  Child child = Child::Start("dies_inside_lock", {std::to_string(SIGSTOP)}, {.environment = {}, .inherited = there});
  there.Close();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Pipe> pipe, MakeFromSocket(std::move(here)));
  child.WaitUntilStopped();
  const absl::Status status = testing::ReceiveMessage(*pipe).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, ::testing::HasSubstr("lock")));
  EXPECT_EQ(ReasonOf(status), Reason::kSilent);
  EXPECT_THAT(pipe->Send(MakeMessage(1, 1)), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(BoostMqPipeTest, CarriesTheLesserOfBothSizes) {
  auto [here, there] = testing::MakeSocketPair();
  Child child = Child::Start("boost_maker", {}, {.environment = {}, .inherited = there});
  ASSERT_OK_AND_ASSIGN(const auto pipe, BoostMqPipe::FromSocket(std::move(here), {.max_message_bytes = 100}));
  EXPECT_EQ(pipe->max_message_bytes(), 100u);
  EXPECT_EQ(child.Wait(), 0);
}

TEST(BoostMqPipeTest, HoldsAsManyMessagesAsItsDepth) {
  for (const size_t depth : {size_t{1}, size_t{2}, size_t{5}}) {
    ASSERT_OK_AND_ASSIGN(auto pair, BoostMqPipe::CreatePair({.max_message_bytes = 100, .depth = depth}));
    EXPECT_EQ(testing::Fill(*pair.first, 100), depth);
  }
}

// The sender learns of the peer's end first, with messages of the peer still in the queue.
TEST(BoostMqPipeTest, WhatCameBeforeTheEndIsReceivedAfterIt) {
  ASSERT_OK_AND_ASSIGN(const auto pair, MakePair());
  for (uint32_t i = 0; i < 2; ++i) ASSERT_OK(pair.first->Send(MakeMessage(10, i)));
  pair.first->Close();
  absl::StatusOr<bool> sent = true;
  while (sent.ok()) sent = pair.second->TrySend(MakeMessage(10, 0));
  EXPECT_EQ(ReasonOf(sent.status()), Reason::kGoodbye);
  for (uint32_t i = 0; i < 2; ++i) EXPECT_THAT(testing::ReceiveMessage(*pair.second), IsOkAndHolds(MakeMessage(10, i)));
  EXPECT_EQ(ReasonOf(testing::ReceiveMessage(*pair.second).status()), Reason::kGoodbye);
}

TEST(BoostMqPipeTest, RefusesBadArguments) {
  for (const BoostMqPipeOptions& options :
       {BoostMqPipeOptions{.max_message_bytes = 0}, BoostMqPipeOptions{.max_message_bytes = (1 << 20) + 1},
        BoostMqPipeOptions{.depth = 0}, BoostMqPipeOptions{.depth = 1025}}) {
    EXPECT_THAT(BoostMqPipe::CreatePair(options), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  auto [stream, other] = testing::MakeSocketPair(SOCK_STREAM);
  EXPECT_THAT(BoostMqPipe::FromSocket(std::move(stream)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(BoostMqPipeTest, FromSocketWaitsNoLongerThanTheDeadlineAndLeavesNothing) {
  const testing::World before = testing::World::Now();
  {
    auto [here, there] = testing::MakeSocketPair();
    EXPECT_THAT(BoostMqPipe::FromSocket(std::move(here), {}, Deadline::Passed()),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
  EXPECT_EQ(testing::World::Now(), before);
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

// Where a peer is killed on the way it leaves a name, so a test of its own above has it killed.
SLUICE_INSTANTIATE_PIPE_CONFORMANCE(BoostMq, {.create_pair = &ipc::MakePair, .from_socket = &ipc::MakeFromSocket});
