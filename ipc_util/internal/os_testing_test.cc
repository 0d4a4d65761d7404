#include "ipc_util/internal/os_testing.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

namespace os = ::ipc::internal::os;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The errors of `count` calls; 0 where one was made.
std::vector<int> ErrorsOfStat(int count) {
  std::vector<int> errors;
  for (int i = 0; i < count; ++i) {
    struct stat file;
    errno = 0;
    const int result = os::Stat("/", &file);
    errors.push_back(result == 0 ? 0 : errno);
  }
  return errors;
}

TEST(OsTestingTest, WithoutInstructionsCallsGoToTheKernel) {
  const OsTesting testing;
  EXPECT_THAT(ErrorsOfStat(2), ElementsAre(0, 0));
  EXPECT_EQ(testing.calls("Stat"), 2);
  EXPECT_EQ(testing.calls("Open"), 0);
  EXPECT_EQ(testing.interventions(), 0);
}

TEST(OsTestingTest, FailsTheCallsThatAreMeant) {
  {
    const OsTesting testing({FailCall("Stat", EMFILE, {.first = 2})});
    EXPECT_THAT(ErrorsOfStat(4), ElementsAre(0, EMFILE, 0, 0));
    EXPECT_EQ(testing.calls("Stat"), 4);
    EXPECT_EQ(testing.interventions(), 1);
  }
  const OsTesting testing({FailCall("Stat", EINTR, {.first = 2, .times = 2, .every = 3})});
  EXPECT_THAT(ErrorsOfStat(9), ElementsAre(0, EINTR, 0, 0, EINTR, 0, 0, 0, 0));
  EXPECT_EQ(testing.interventions(), 2);
}

TEST(OsTestingTest, FailsEveryOtherCallForEver) {
  const OsTesting testing({FailCall("Stat", EINTR, {.times = kAlways, .every = 2})});
  EXPECT_THAT(ErrorsOfStat(5), ElementsAre(EINTR, 0, EINTR, 0, EINTR));
}

TEST(OsTestingTest, FailsOnlyTheFunctionThatIsMeant) {
  const OsTesting testing({FailCall("Fstat", EIO, {.times = kAlways})});
  EXPECT_THAT(ErrorsOfStat(2), ElementsAre(0, 0));
}

TEST(OsTestingTest, AFailedMapIsMapFailed) {
  const OsTesting testing({FailCall("Mmap", ENOMEM)});
  EXPECT_EQ(os::Mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(OsTestingTest, InstructionsEndWithTheirObject) {
  {
    const OsTesting testing({FailCall("Stat", EIO, {.times = kAlways})});
  }
  const OsTesting testing;
  EXPECT_THAT(ErrorsOfStat(1), ElementsAre(0));
  EXPECT_EQ(testing.calls("Stat"), 1);
}

TEST(OsTestingTest, CountingLeavesErrnoAlone) {
  const OsTesting testing;
  errno = ENOTTY;
  os::Close(dup(0));
  EXPECT_EQ(errno, ENOTTY);
}

TEST(OsTestingTest, CutsMessagesShort) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  const Fd here(sockets[0]);
  const Fd there(sockets[1]);
  char first[] = "abc";
  char second[] = "def";
  iovec parts[] = {{.iov_base = first, .iov_len = 3}, {.iov_base = second, .iov_len = 3}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  const OsTesting testing({CutCall("SendMsg", 4), CutCall("RecvMsg", 1, {.times = 2})});
  EXPECT_EQ(os::SendMsg(here.get(), &message, MSG_NOSIGNAL), 4);
  EXPECT_EQ(os::SendMsg(here.get(), &message, MSG_NOSIGNAL), 6);
  EXPECT_EQ(os::RecvMsg(there.get(), &message, MSG_DONTWAIT), 1);
  EXPECT_EQ(os::RecvMsg(there.get(), &message, MSG_DONTWAIT), 1);
  EXPECT_EQ(os::RecvMsg(there.get(), &message, MSG_DONTWAIT), 6);
  EXPECT_EQ(std::string(first) + second, "cdabcd");
  EXPECT_EQ(os::RecvMsg(there.get(), &message, MSG_DONTWAIT), 2);
  EXPECT_EQ(testing.interventions(), 3);
}

// The kernel's answer comes through a cut call too.
TEST(OsTestingTest, ACutPacketSaysThatItIsCut) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
  const Fd here(sockets[0]);
  const Fd there(sockets[1]);
  ASSERT_EQ(send(here.get(), "abc", 3, 0), 3);
  char text[3];
  iovec part = {.iov_base = text, .iov_len = 3};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const OsTesting testing({CutCall("RecvMsg", 2)});
  EXPECT_EQ(os::RecvMsg(there.get(), &message, MSG_DONTWAIT), 2);
  EXPECT_EQ(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
}

TEST(OsTestingTest, RecordsPointsAndCallsBack) {
  {
    OsTesting testing;
    int called = 0;
    testing.AtPoint("b", [&] { ++called; });
    for (const char* const point : {"a", "b", "a", "b"}) os::Point(point);
    EXPECT_THAT(testing.points(), ElementsAre("a", "b", "a", "b"));
    EXPECT_EQ(called, 2);
  }
  const OsTesting testing;
  EXPECT_THAT(testing.points(), IsEmpty());
}

TEST(OsTestingTest, CountsFromAllThreads) {
  const OsTesting testing({FailCall("Stat", EIO, {.first = 10, .times = 5})});
  const auto look = [] { ErrorsOfStat(100); };
  std::thread other(look);
  look();
  other.join();
  EXPECT_EQ(testing.calls("Stat"), 200);
  EXPECT_EQ(testing.interventions(), 5);
}

TEST(OsTestingTest, TheEnvironmentSaysTheSame) {
  const std::vector<OsInstruction> instructions = {
      FailCall("RecvMsg", EINTR, {.first = 2, .times = kAlways, .every = 3}), CutCall("SendMsg", 1),
      KillAt("session.hello.sent", {.first = 4}), StopAt("session.ready.sent")};
  const std::string variable = OsEnvironment(instructions);
  const std::string name = "SLUICE_OS_TESTING=";
  ASSERT_EQ(variable.substr(0, name.size()), name);
  EXPECT_EQ(ParseOsInstructions(variable.substr(name.size())), instructions);
}

TEST(OsTestingTest, TheEnvironmentCanBeWrittenByHand) {
  EXPECT_THAT(ParseOsInstructions("fail RecvMsg EINTR times=always every=2; kill a.point first=3;"),
              ElementsAre(FailCall("RecvMsg", EINTR, {.times = kAlways, .every = 2}), KillAt("a.point", {.first = 3})));
  EXPECT_THAT(ParseOsInstructions(""), IsEmpty());
}

TEST(OsTestingDeathTest, AWrongInstructionEndsTheProgram) {
  for (const char* const text : {"fail", "fail RecvMsg", "fail RecvMsg EWRONG", "break RecvMsg EIO",
                                 "fail RecvMsg EIO often=2", "kill point first=0", "kill point first"}) {
    EXPECT_DEATH(ParseOsInstructions(text), "no instruction for the OS seam") << text;
  }
}

// Comes to three points, and says so after each.
SLUICE_CHILD_ROLE(walker) {
  for (const char* const point : {"a", "b", "b"}) {
    os::Point(point);
    TellParent(point);
  }
  struct stat file;
  TellParent(os::Stat("/", &file) == 0 ? "seen" : std::strerror(errno));
  return 0;
}

Child StartWalker(const OsInstruction& instruction) {
  return Child::Start("walker", {}, {.environment = {OsEnvironment({instruction})}, .inherited = {}});
}

TEST(OsTestingTest, AChildKillsItselfAtThePoint) {
  Child child = StartWalker(KillAt("b", {.first = 2}));
  EXPECT_EQ(child.Hear(), "a");
  EXPECT_EQ(child.Hear(), "b");
  EXPECT_EQ(child.Hear(), "");
  EXPECT_EQ(child.Wait(), -SIGKILL);
}

TEST(OsTestingTest, AChildStopsItselfAtThePoint) {
  Child child = StartWalker(StopAt("b"));
  child.WaitUntilStopped();
  EXPECT_EQ(child.Hear(), "a");
  child.Continue();
  EXPECT_EQ(child.Hear(), "b");
  EXPECT_EQ(child.Hear(), "b");
  EXPECT_EQ(child.Hear(), "seen");
  EXPECT_EQ(child.Wait(), 0);
}

TEST(OsTestingTest, AChildsCallsFail) {
  Child child = StartWalker(FailCall("Stat", EMFILE));
  for (const char* const point : {"a", "b", "b"}) EXPECT_EQ(child.Hear(), point);
  EXPECT_THAT(child.Hear(), HasSubstr("Too many open files"));
}

}  // namespace
}  // namespace ipc::testing
