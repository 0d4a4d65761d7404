#include "ipc_transport/pipe_conformance.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/config.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "ipc_transport/internal/descriptors.h"
#include "ipc_transport/testing/messages.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<Pipe>> (*peer_pipe)(Fd) = nullptr;

size_t ResidentPages() {
  std::ifstream statm("/proc/self/statm");
  size_t all = 0;
  size_t resident = 0;
  statm >> all >> resident;
  return resident;
}

// A peer that makes its end, sends three messages, says so, and then does what it is told.
SLUICE_CHILD_ROLE(pipe_peer) {
  absl::StatusOr<std::unique_ptr<Pipe>> pipe = peer_pipe(InheritedFd());
  if (!pipe.ok()) return 1;
  for (uint32_t i = 0; i < 3; ++i) {
    if (!(*pipe)->Send(MakeMessage(100 + i, i)).ok()) return 2;
  }
  TellParent("sent");
  const std::string wish = HearParent();
  if (wish == "close") (*pipe)->Close();
  if (wish == "reserve") {
    const absl::StatusOr<std::optional<absl::Span<std::byte>>> room = (*pipe)->TryReserve(1000);
    if (!room.ok() || !room->has_value()) return 3;
    std::fill((*room)->begin(), (*room)->end(), std::byte{0xff});
    TellParent("reserved");
    HearParent();
  }
  return 0;
}

// Makes a pair of sockets, hands both of them over, and goes.
SLUICE_CHILD_ROLE(socket_maker) {
  const Fd parent = InheritedFd();
  auto [first, second] = MakeSocketPair();
  const FdView sockets[] = {first, second};
  const std::byte byte{0};
  const Blob blob(&byte, 1);
  return ipc::internal::SendPacket(parent, absl::MakeConstSpan(&blob, 1), sockets).ok() ? 0 : 1;
}

struct Peer {
  std::unique_ptr<Pipe> pipe;
  Child child;
};

bool IsOfDeath(const absl::Status& status) {
  return absl::IsUnavailable(status) && (ReasonOf(status) == Reason::kGone || ReasonOf(status) == Reason::kKilled);
}

Peer StartPeer(const PipeKindUnderTest& kind) {
  auto [mine, theirs] = MakeSocketPair();
  Child child = Child::Start("pipe_peer", {}, {.environment = {}, .inherited = theirs});
  theirs.Close();
  absl::StatusOr<std::unique_ptr<Pipe>> pipe = kind.from_socket(std::move(mine));
  EXPECT_THAT(pipe, IsOk());
  EXPECT_EQ(child.Hear(), "sent");
  return {*std::move(pipe), std::move(child)};
}

void ExpectThreeMessages(Pipe& pipe) {
  for (uint32_t i = 0; i < 3; ++i) EXPECT_THAT(ReceiveMessage(pipe), IsOkAndHolds(MakeMessage(100 + i, i)));
}

TEST_P(PipeConformance, KeepsOrderAndBoundaries) {
  auto [a, b] = MakePair();
  for (uint32_t first = 0; first < 50; first += kFewMessages) {
    for (uint32_t i = first; i < first + kFewMessages; ++i) ASSERT_OK(a->Send(MakeMessage(i, i)));
    for (uint32_t i = first; i < first + kFewMessages; ++i) {
      EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(i, i)));
    }
  }
}

TEST_P(PipeConformance, CarriesEverySizeUpToTheLimit) {
  auto [a, b] = MakePair();
  const size_t limit = a->max_message_bytes();
  for (const size_t size : {size_t{0}, size_t{1}, limit - 1, limit}) {
    ASSERT_OK(a->Send(MakeMessage(size, 1)));
    EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(size, 1)));
  }
}

TEST_P(PipeConformance, RefusesAMessageBeyondTheLimitAndGoesOn) {
  auto [a, b] = MakePair();
  const size_t limit = a->max_message_bytes();
  EXPECT_THAT(a->TrySend(Bytes(limit + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(absl::StrCat(limit + 1)), HasSubstr(absl::StrCat(limit)))));
  ASSERT_OK(a->Send(MakeMessage(8, 1)));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(8, 1)));
}

TEST_P(PipeConformance, GathersPartsIntoOneMessage) {
  auto [a, b] = MakePair();
  const Bytes whole = MakeMessage(300, 5);
  const Blob parts[] = {Blob(whole).subspan(0, 8), Blob(), Blob(whole).subspan(8, 100), Blob(whole).subspan(108)};
  ASSERT_OK(a->SendParts(parts));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(whole));
}

TEST_P(PipeConformance, GoesBothWays) {
  auto [a, b] = MakePair();
  ASSERT_OK(a->Send(MakeMessage(10, 1)));
  ASSERT_OK(b->Send(MakeMessage(20, 2)));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, 1)));
  EXPECT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(20, 2)));
}

TEST_P(PipeConformance, IsFullOnceAndHasRoomAgain) {
  auto [a, b] = MakePair();
  constexpr size_t kSize = 1000;
  const uint32_t sent = Fill(*a, kSize);
  ASSERT_GT(sent, 0u);
  EXPECT_THAT(a->Send(MakeMessage(kSize, 0), {}, Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  for (uint32_t i = 0; i < sent; ++i) EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(kSize, i)));
  ASSERT_OK(a->Send(MakeMessage(kSize, sent), {}, Deadline::Passed()));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(kSize, sent)));
}

TEST_P(PipeConformance, ASenderThatSleepsForRoomIsWoken) {
  auto [a, b] = MakePair();
  a->set_wait_mode(WaitMode::kSleep);
  constexpr size_t kSize = 1000;
  const uint32_t sent = Fill(*a, kSize);
  std::thread sender([&a = a, sent] { EXPECT_THAT(a->Send(MakeMessage(kSize, sent), {}, TimeLimit()), IsOk()); });
  for (uint32_t i = 0; i <= sent; ++i) EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(kSize, i)));
  sender.join();
}

TEST_P(PipeConformance, DeadlinesHold) {
  auto [a, b] = MakePair();
  Bytes buffer(100);
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    b->set_wait_mode(mode);
    for (const absl::Duration timeout : {-absl::Seconds(1), absl::ZeroDuration(), absl::Milliseconds(1)}) {
      EXPECT_THAT(b->Receive(absl::MakeSpan(buffer), nullptr, timeout), StatusIs(absl::StatusCode::kDeadlineExceeded));
    }
  }
  // A passed deadline still takes what is there.
  ASSERT_OK(a->Send(MakeMessage(100, 1)));
  EXPECT_THAT(b->Receive(absl::MakeSpan(buffer), nullptr, Deadline::Passed()), IsOkAndHolds(100u));
}

TEST_P(PipeConformance, AnInfiniteWaitEndsWithTheMessage) {
  auto [a, b] = MakePair();
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    b->set_wait_mode(mode);
    std::thread sender([&a = a] { EXPECT_THAT(a->Send(MakeMessage(64, 7)), IsOk()); });
    Bytes buffer(64);
    EXPECT_THAT(b->Receive(absl::MakeSpan(buffer), nullptr, Deadline::Never()), IsOkAndHolds(64u));
    EXPECT_EQ(buffer, MakeMessage(64, 7));
    sender.join();
  }
}

TEST_P(PipeConformance, TryReceiveSaysThatThereIsNothing) {
  auto [a, b] = MakePair();
  Bytes buffer(1);
  EXPECT_THAT(b->TryReceive(absl::MakeSpan(buffer), nullptr), IsOkAndHolds(std::nullopt));
}

TEST_P(PipeConformance, ABufferThatIsTooSmallLosesNothing) {
  auto [a, b] = MakePair();
  std::vector<Fd> descriptors;
  const Fd file = FileWith("kept");
  const FdView file_view = file;
  ASSERT_OK(a->Send(MakeMessage(1000, 3), absl::MakeConstSpan(&file_view, 1)));
  ASSERT_OK(a->Send(MakeMessage(5, 4)));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{999}}) {
    Bytes small(size);
    EXPECT_THAT(b->Receive(absl::MakeSpan(small), &descriptors, TimeLimit()),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("1000"), HasSubstr(absl::StrCat(size)))));
    EXPECT_TRUE(descriptors.empty());
  }
  EXPECT_THAT(ReceiveMessage(*b, &descriptors), IsOkAndHolds(MakeMessage(1000, 3)));
  ASSERT_EQ(descriptors.size(), 1u);
  EXPECT_EQ(ReadAll(descriptors[0]), "kept");
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(5, 4)));
}

TEST_P(PipeConformance, CarriesDescriptorsInOrder) {
  auto [a, b] = MakePair();
  for (const size_t count : {size_t{0}, size_t{1}, size_t{16}}) {
    std::vector<Fd> files;
    std::vector<FdView> views;
    for (size_t i = 0; i < count; ++i) files.push_back(FileWith(absl::StrCat("file ", i)));
    for (const Fd& file : files) views.push_back(file);
    ASSERT_OK(a->Send(MakeMessage(count, 1), views));
    files.clear();
    std::vector<Fd> received;
    EXPECT_THAT(ReceiveMessage(*b, &received), IsOkAndHolds(MakeMessage(count, 1)));
    ASSERT_EQ(received.size(), count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(ReadAll(received[i]), absl::StrCat("file ", i));
      EXPECT_EQ(fcntl(received[i].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    }
  }
}

TEST_P(PipeConformance, RefusesTooManyOrClosedDescriptors) {
  auto [a, b] = MakePair();
  const Fd file = FileWith("x");
  const std::vector<FdView> seventeen(17, file.view());
  EXPECT_THAT(a->TrySend(MakeMessage(1, 1), seventeen), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("17")));
  const FdView closed(1'000'000);
  EXPECT_THAT(a->TrySend(MakeMessage(1, 1), absl::MakeConstSpan(&closed, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(a->Send(MakeMessage(2, 2)));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(2, 2)));
}

// A reader that takes its time loses nothing.
TEST_P(PipeConformance, DescriptorsFillUpAndFlowAgain) {
  // All processes of a user share the kernel's limit of descriptors on their way: others want to go on meanwhile.
  constexpr uint32_t kEnough = 100;
  auto [a, b] = MakePair();
  const Fd file = FileWith("");
  const std::vector<FdView> views(16, file.view());
  uint32_t sent = 0;
  for (bool room = true; room && sent < kEnough; sent += room) {
    ASSERT_OK_AND_ASSIGN(room, a->TrySend(MakeMessage(10, sent), views));
  }
  ASSERT_GT(sent, 0u);
  std::thread sender(
      [&a = a, &views, sent] { EXPECT_THAT(a->Send(MakeMessage(10, sent), views, TimeLimit()), IsOk()); });
  for (uint32_t i = 0; i <= sent; ++i) {
    std::vector<Fd> received;
    ASSERT_THAT(ReceiveMessage(*b, &received), IsOkAndHolds(MakeMessage(10, i)));
    ASSERT_EQ(received.size(), views.size());
  }
  sender.join();
}

TEST_P(PipeConformance, ClosesDescriptorsThatNobodyClaims) {
  auto [a, b] = MakePair();
  const World before = World::Now();
  {
    const Fd file = FileWith("x");
    const std::vector<FdView> views(3, file.view());
    ASSERT_OK(a->Send(MakeMessage(1, 1), views));
    EXPECT_THAT(ReceiveMessage(*b), IsOk());
  }
  EXPECT_EQ(World::Now(), before);
}

// R2, F10: what came in part is closed.
TEST_P(PipeConformance, WithoutRoomForDescriptorsThePipeIsClosed) {
  const World before = World::Now();
  {
    auto [a, b] = MakePair();
    const Fd file = FileWith("x");
    const std::vector<FdView> views(16, file.view());
    ASSERT_OK(a->Send(MakeMessage(1, 1), views));
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit few = {.rlim_cur = static_cast<rlim_t>(file.get()) + 5, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<Fd> received;
    EXPECT_THAT(ReceiveMessage(*b, &received),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_TRUE(received.empty());
    EXPECT_THAT(ReceiveMessage(*b), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(ReceiveMessage(*a), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_EQ(World::Now(), before);
}

TEST_P(PipeConformance, HalfCloseLetsEverythingThrough) {
  auto [a, b] = MakePair();
  ASSERT_OK(a->Send(MakeMessage(10, 1)));
  ASSERT_OK(a->FinishSending());
  ASSERT_OK(a->FinishSending());
  EXPECT_THAT(a->TrySend(MakeMessage(1, 1)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, 1)));
  EXPECT_THAT(ReceiveMessage(*b), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ReceiveMessage(*b), StatusIs(absl::StatusCode::kOutOfRange));
  ASSERT_OK(b->Send(MakeMessage(20, 2)));
  EXPECT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(20, 2)));
}

TEST_P(PipeConformance, AFullPipeTakesTheFinish) {
  auto [a, b] = MakePair();
  const uint32_t sent = Fill(*a, 1000);
  ASSERT_OK(a->FinishSending());
  for (uint32_t i = 0; i < sent; ++i) ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(1000, i)));
  EXPECT_THAT(ReceiveMessage(*b), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(PipeConformance, AFullPipeTakesTheGoodbye) {
  auto [a, b] = MakePair();
  const uint32_t sent = Fill(*a, 1000);
  a->Close();
  for (uint32_t i = 0; i < sent; ++i) ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(1000, i)));
  EXPECT_EQ(ReasonOf(ReceiveMessage(*b).status()), Reason::kGoodbye);
}

// F23
TEST_P(PipeConformance, UnreadMessagesOfTheReceiverHideNothing) {
  auto [a, b] = MakePair();
  ASSERT_OK(b->Send(MakeMessage(30, 3)));
  for (uint32_t i = 0; i < 3; ++i) ASSERT_OK(a->Send(MakeMessage(10, i)));
  a.reset();
  for (uint32_t i = 0; i < 3; ++i) EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, i)));
  EXPECT_EQ(ReasonOf(ReceiveMessage(*b).status()), Reason::kGoodbye);
}

TEST_P(PipeConformance, CloseCancelsHereAndSaysGoodbyeThere) {
  auto [a, b] = MakePair();
  ASSERT_OK(a->Send(MakeMessage(10, 1)));
  a->Close();
  a->Close();
  EXPECT_THAT(a->TrySend(MakeMessage(1, 1)), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(ReceiveMessage(*a), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(a->FinishSending(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, 1)));
  const absl::StatusOr<Bytes> end = ReceiveMessage(*b);
  EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(end.status()), Reason::kGoodbye);
  EXPECT_THAT(b->TrySend(MakeMessage(1, 1)), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_P(PipeConformance, CloseEndsAWaitOfAnotherThread) {
  auto [a, b] = MakePair();
  for (const WaitMode mode : {WaitMode::kSleep, WaitMode::kSpin}) {
    auto [c, d] = MakePair();
    c->set_wait_mode(mode);
    std::thread closer([&c = c] { c->Close(); });
    Bytes buffer(1);
    EXPECT_THAT(c->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
    closer.join();
  }
}

TEST_P(PipeConformance, LeavesNothingBehind) {
  const World before = World::Now();
  {
    auto [a, b] = MakePair();
    const Fd file = FileWith("unread");
    const FdView view = file;
    ASSERT_OK(a->Send(MakeMessage(10, 1), absl::MakeConstSpan(&view, 1)));
  }
  EXPECT_EQ(World::Now(), before);
}

// R6: 10 000 of them in the stress variants.
TEST_P(PipeConformance, ManyPipesLeaveNothingBehind) {
  const char* const text = std::getenv("PIPE_CONFORMANCE_PIPES");
  int pipes = 100;
  ASSERT_TRUE(text == nullptr || absl::SimpleAtoi(text, &pipes)) << text;
  const World before = World::Now();
  [[maybe_unused]] size_t pages_early = 0;  // Not asked for under sanitizers.
  for (int i = 0; i < pipes; ++i) {
    auto [a, b] = MakePair();
    const Fd file = FileWith("x");
    const FdView view = file;
    ASSERT_OK(a->Send(MakeMessage(100, i), absl::MakeConstSpan(&view, 1)));
    std::vector<Fd> received;
    ASSERT_THAT(ReceiveMessage(*b, &received), IsOkAndHolds(MakeMessage(100, i)));
    if (i == pipes / 10) pages_early = ResidentPages();
  }
  EXPECT_EQ(World::Now(), before);
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)  // They keep what is freed.
  EXPECT_LE(ResidentPages(), pages_early + 100 + pipes / 1000);
#endif
}

TEST_P(PipeConformance, APeerThatExitsIsHeardOut) {
  Peer peer = StartPeer(GetParam());
  peer.child.Tell("exit");
  ASSERT_EQ(peer.child.Wait(), 0);
  ExpectThreeMessages(*peer.pipe);
  EXPECT_THAT(ReceiveMessage(*peer.pipe), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_P(PipeConformance, APeerThatIsKilledIsHeardOut) {
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    Peer peer = StartPeer(GetParam());
    peer.pipe->set_wait_mode(mode);
    peer.child.Kill();
    ExpectThreeMessages(*peer.pipe);
    const absl::Status end = ReceiveMessage(*peer.pipe).status();
    EXPECT_TRUE(IsOfDeath(end)) << end;
    EXPECT_THAT(peer.pipe->Send(MakeMessage(1, 1)), StatusIs(absl::StatusCode::kUnavailable));
  }
}

// K4, K7: nothing of a message that was not sent to its end.
TEST_P(PipeConformance, APeerThatIsKilledWithinAMessageDeliversNoneOfIt) {
  Peer peer = StartPeer(GetParam());
  peer.child.Tell("reserve");
  ASSERT_EQ(peer.child.Hear(), "reserved");
  peer.child.Kill();
  ExpectThreeMessages(*peer.pipe);
  const absl::Status end = ReceiveMessage(*peer.pipe).status();
  EXPECT_TRUE(IsOfDeath(end)) << end;
}

// K1, K2: at each named point of the way to a pipe.
TEST_P(PipeConformance, APeerThatIsKilledOnTheWayToAPipeIsNoticed) {
  for (const char* const point : GetParam().points) {
    const World before = World::Now();
    {
      auto [mine, theirs] = MakeSocketPair();
      Child child =
          Child::Start("pipe_peer", {}, {.environment = {OsEnvironment({KillAt(point)})}, .inherited = theirs});
      theirs.Close();
      absl::StatusOr<std::unique_ptr<Pipe>> pipe = GetParam().from_socket(std::move(mine));
      const absl::Status end = pipe.ok() ? ReceiveMessage(**pipe).status() : pipe.status();
      EXPECT_TRUE(IsOfDeath(end)) << point << ": " << end;
      EXPECT_EQ(child.Wait(), -SIGKILL) << point;
    }
    EXPECT_EQ(World::Now(), before) << point;
  }
}

// Whoever made the sockets is nobody's peer.
TEST_P(PipeConformance, TheMakerOfItsSocketsMayGo) {
  auto [mine, theirs] = MakeSocketPair();
  Child maker = Child::Start("socket_maker", {}, {.environment = {}, .inherited = theirs});
  ASSERT_EQ(maker.Wait(), 0);
  std::byte byte;
  iovec part = {.iov_base = &byte, .iov_len = 1};
  std::vector<Fd> sockets;
  ASSERT_OK(ipc::internal::ReceivePacket(mine, absl::MakeSpan(&part, 1), &sockets));
  ASSERT_EQ(sockets.size(), 2u);
  absl::StatusOr<std::unique_ptr<Pipe>> a;
  std::thread other([&] { a = GetParam().from_socket(std::move(sockets[0])); });
  absl::StatusOr<std::unique_ptr<Pipe>> b = GetParam().from_socket(std::move(sockets[1]));
  other.join();
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  (*b)->set_wait_mode(WaitMode::kSleep);
  std::thread sender([&] { EXPECT_THAT((*a)->Send(MakeMessage(10, 1), {}, TimeLimit()), IsOk()); });
  EXPECT_THAT(ReceiveMessage(**b), IsOkAndHolds(MakeMessage(10, 1)));
  sender.join();
}

// P1, P2: what a forked child does with its copy, to its end, leaves the pipe as it is.
TEST_P(PipeConformance, AForkedChildHarmsNothing) {
  auto [a, b] = MakePair();
  if (GetParam().has_waitables) {
    ASSERT_OK(b->ReceiveWaitable());
  }
  ASSERT_OK(a->Send(MakeMessage(10, 1)));
  const pid_t child = fork();
  if (child == 0) {
    Bytes buffer(10);
    const absl::Status answers[] = {a->TrySend(buffer).status(),
                                    a->Send(buffer),
                                    a->TrySendBatch({}).status(),
                                    a->TryReserve(1).status(),
                                    a->TryCommit(1).status(),
                                    a->FinishSending(),
                                    a->WaitToSend(Deadline::Passed()),
                                    b->TryReceive(absl::MakeSpan(buffer), nullptr).status(),
                                    b->TryPeek(nullptr).status(),
                                    b->Release(),
                                    b->WaitToReceive(Deadline::Passed())};
    int wrong = 0;
    for (const absl::Status& answer : answers) wrong += !absl::IsFailedPrecondition(answer);
    a->Close();
    a.reset();
    b.reset();
    _exit(wrong);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(10, 1)));
  ASSERT_OK(b->Send(MakeMessage(20, 2)));
  EXPECT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(20, 2)));
}

TEST_P(PipeConformance, AKillEndsAWait) {
  Peer peer = StartPeer(GetParam());
  peer.pipe->set_wait_mode(WaitMode::kSleep);
  ExpectThreeMessages(*peer.pipe);
  std::thread killer([&] { peer.child.Kill(); });
  EXPECT_THAT(ReceiveMessage(*peer.pipe), StatusIs(absl::StatusCode::kUnavailable));
  killer.join();
}

TEST_P(PipeConformance, AStoppedPeerFillsUpAndResumes) {
  Peer peer = StartPeer(GetParam());
  peer.child.Stop();
  const uint32_t sent = Fill(*peer.pipe, 1000);
  EXPECT_GT(sent, 0u);
  EXPECT_THAT(peer.pipe->Send(MakeMessage(1000, 0), {}, absl::Milliseconds(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  peer.child.Continue();
  peer.child.Tell("close");
  EXPECT_EQ(peer.child.Wait(), 0);
  ExpectThreeMessages(*peer.pipe);
}

// Two threads that exchange messages of random sizes through every wait mode; a lost wake-up would hang it.
TEST_P(PipeConformance, CarriesManyMessagesBetweenThreads) {
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSleep}) {
    auto [a, b] = MakePair();
    a->set_wait_mode(mode);
    b->set_wait_mode(mode);
    constexpr uint32_t kMessages = 3000;
    const auto size_of = [limit = a->max_message_bytes()](uint32_t i) {
      std::minstd_rand random(i + 1);
      return random() % 64 == 0 ? random() % (limit + 1) : random() % 300;
    };
    std::thread sender([&, &a = a] {
      for (uint32_t i = 0; i < kMessages; ++i) {
        ASSERT_THAT(a->Send(MakeMessage(size_of(i), i), {}, TimeLimit()), IsOk());
        if (i % 100 == 99) {
          ASSERT_THAT(ReceiveMessage(*a), IsOkAndHolds(MakeMessage(1, i)));
        }
      }
    });
    for (uint32_t i = 0; i < kMessages; ++i) {
      ASSERT_THAT(ReceiveMessage(*b), IsOkAndHolds(MakeMessage(size_of(i), i)));
      if (i % 100 == 99) {
        ASSERT_OK(b->Send(MakeMessage(1, i), {}, TimeLimit()));
      }
    }
    sender.join();
  }
}

}  // namespace

PipePair PipeConformance::MakePair() {
  absl::StatusOr<PipePair> pair = GetParam().create_pair();
  EXPECT_THAT(pair, IsOk());
  return *std::move(pair);
}

int SetPeerPipe(absl::StatusOr<std::unique_ptr<Pipe>> (*from_socket)(Fd socket)) {
  peer_pipe = from_socket;
  return 0;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
