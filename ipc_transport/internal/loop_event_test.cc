#include "ipc_transport/internal/loop_event.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/readable.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using testing::FailCall;
using testing::IsOkAndHolds;
using testing::OsTesting;
using testing::StatusIs;
using testing::TimeLimit;
using testing::World;

constexpr std::byte kMessage[] = {std::byte{7}};

class LoopEventTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pair = SocketPipe::CreatePair();
    ASSERT_OK(pair);
    pipe_ = std::move(pair->first);
    peer_ = std::move(pair->second);
    ASSERT_OK_AND_ASSIGN(event_, LoopEvent::Create(pipe_->ReceiveWaitable().value()));
  }

  bool IsReadable() { return testing::IsReadable(event_->fd()); }
  bool BecomesReadable() { return testing::BecomesReadable(event_->fd()); }

  absl::StatusOr<std::optional<size_t>> TryReceive() {
    std::array<std::byte, 16> buffer;
    return pipe_->TryReceive(absl::MakeSpan(buffer), nullptr);
  }

  std::unique_ptr<Pipe> pipe_;
  std::unique_ptr<Pipe> peer_;
  std::unique_ptr<LoopEvent> event_;
};

TEST_F(LoopEventTest, IsReadableAtFirstAndQuietOnceTold) {
  EXPECT_TRUE(IsReadable());
  EXPECT_TRUE(IsReadable());
  event_->Quiet();
  EXPECT_FALSE(IsReadable());
  event_->Quiet();
  EXPECT_FALSE(IsReadable());
}

TEST_F(LoopEventTest, IsReadableFromASignalUntilItIsQuieted) {
  event_->Quiet();
  for (int i = 0; i < 3; ++i) event_->Signal();
  EXPECT_TRUE(BecomesReadable());
  EXPECT_TRUE(IsReadable());
  event_->Quiet();
  EXPECT_FALSE(IsReadable());
}

TEST_F(LoopEventTest, IsReadableWhileThePipeIs) {
  event_->Quiet();
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
  ASSERT_OK(peer_->Send(kMessage, {}, TimeLimit()));
  EXPECT_TRUE(BecomesReadable());
  event_->Quiet();
  EXPECT_TRUE(IsReadable());
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::optional<size_t>(1)));
  EXPECT_THAT(TryReceive(), IsOkAndHolds(std::nullopt));
  EXPECT_FALSE(IsReadable());
  peer_->Close();
  EXPECT_TRUE(BecomesReadable());
}

TEST_F(LoopEventTest, ADeadlineThatHasPassedMakesItReadable) {
  event_->Quiet();
  event_->SetTimer(Deadline::Passed());
  EXPECT_TRUE(BecomesReadable());
  event_->Quiet();
  EXPECT_TRUE(IsReadable());
}

TEST_F(LoopEventTest, ADeadlineMakesItReadableOnceItPasses) {
  event_->Quiet();
  const Deadline deadline(absl::Milliseconds(20));
  event_->SetTimer(deadline);
  EXPECT_TRUE(BecomesReadable());
  EXPECT_TRUE(deadline.HasPassed());
}

TEST_F(LoopEventTest, NeverClearsTheTimer) {
  event_->Quiet();
  event_->SetTimer(Deadline::Never());
  EXPECT_FALSE(IsReadable());
  for (int i = 0; i < 2; ++i) {
    event_->SetTimer(Deadline::Passed());
    EXPECT_TRUE(BecomesReadable());
    event_->SetTimer(Deadline::Never());
    EXPECT_FALSE(IsReadable());
  }
}

TEST_F(LoopEventTest, AnotherDeadlineReplacesTheOneBefore) {
  event_->Quiet();
  event_->SetTimer(Deadline::Passed());
  EXPECT_TRUE(BecomesReadable());
  event_->SetTimer(absl::Hours(24 * 365));
  EXPECT_FALSE(IsReadable());
  event_->SetTimer(absl::Milliseconds(1));
  EXPECT_TRUE(BecomesReadable());
}

// R2
TEST_F(LoopEventTest, LeavesNothingBehindWhereDescriptorsRunOut) {
  const World before = World::Now();
  for (const char* const function : {"EpollCreate", "EventFd", "TimerFd"}) {
    const OsTesting os({FailCall(function, EMFILE)});
    EXPECT_THAT(LoopEvent::Create(pipe_->ReceiveWaitable().value()), StatusIs(absl::StatusCode::kResourceExhausted))
        << function;
    EXPECT_EQ(os.interventions(), 1) << function;
    EXPECT_EQ(World::Now(), before) << function;
  }
  for (int nth = 1; nth <= 3; ++nth) {
    const OsTesting os({FailCall("EpollCtl", ENOSPC, {.first = nth})});
    EXPECT_FALSE(LoopEvent::Create(pipe_->ReceiveWaitable().value()).ok()) << nth;
    EXPECT_EQ(os.interventions(), 1) << nth;
    EXPECT_EQ(World::Now(), before) << nth;
  }
  ASSERT_OK(LoopEvent::Create(pipe_->ReceiveWaitable().value()));
  EXPECT_EQ(World::Now(), before);
}

TEST_F(LoopEventTest, IsReadableWhileWhatWasAddedIs) {
  auto pair = SocketPipe::CreatePair();
  ASSERT_OK(pair);
  std::unique_ptr<Pipe> another = std::move(pair->first);
  ASSERT_OK_AND_ASSIGN(const Waitable waitable, another->ReceiveWaitable());
  EXPECT_OK(event_->Add(waitable));
  event_->Quiet();
  EXPECT_FALSE(IsReadable());
  ASSERT_THAT(pair->second->TrySend(kMessage), IsOkAndHolds(true));
  EXPECT_TRUE(BecomesReadable());
  another.reset();
  EXPECT_FALSE(IsReadable());
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
