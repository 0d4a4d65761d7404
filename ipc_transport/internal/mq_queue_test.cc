#include "ipc_transport/internal/mq_queue.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/mq_names.h"
#include "ipc_transport/testing/mq_world.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/user.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::CheckMqReader;
using ::ipc::internal::MakeMqQueue;
using ::ipc::internal::MqName;
using ::ipc::internal::MqQueue;
using ::ipc::internal::MqShape;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;
constexpr MqShape kShape = {.message_bytes = 64, .messages = 3};

const bool own_world = MqWorldForAllTests();

// All processes of a user share the user's bytes in queues, so each test has a user of its own.
void BecomeFreshUser() { BecomeUser(100'000 + static_cast<uid_t>(getpid()), kOtherGid); }

// The name that this process gives `ahead` names from now, as mq_open(3) wants it.
std::string NameAhead(uint64_t ahead) {
  MqName name = MqName::Next();
  name.number += ahead;
  return "/" + name.ToString();
}

// Another program's queue of that name.
Fd Squat(const std::string& name) {
  return Fd(mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, nullptr));
}

TEST(MqQueueTest, HasAnEndForEachUse) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  EXPECT_EQ(fcntl(queue.writer.get(), F_GETFL) & O_ACCMODE, O_WRONLY);
  EXPECT_EQ(fcntl(queue.reader.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(fcntl(queue.writer.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(queue.reader.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_OK(CheckMqReader(queue.reader, kShape));
  const timespec at_once = {};
  ASSERT_EQ(mq_timedsend(queue.writer.get(), "hello", 5, 0, &at_once), 0);
  char message[64];
  EXPECT_EQ(mq_timedreceive(queue.reader.get(), message, sizeof(message), nullptr, &at_once), 5);
  EXPECT_EQ(mq_timedreceive(queue.writer.get(), message, sizeof(message), nullptr, &at_once), -1);
  EXPECT_EQ(errno, EBADF);
}

// F8: what systemd would remove at a logout is gone already.
TEST(MqQueueTest, HasNoName) {
  if (!IsInMqWorld()) GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, for a /dev/mqueue of its own";
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  EXPECT_THAT(MqNames(), IsEmpty());
  struct stat file;
  ASSERT_EQ(fstat(queue.writer.get(), &file), 0);
  EXPECT_EQ(file.st_nlink, 0u);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
}

SLUICE_CHILD_ROLE(umask_user) {
  BecomeFreshUser();
  umask(0777);
  const absl::StatusOr<MqQueue> queue = MakeMqQueue(kShape);
  TellParent(queue.status().ToString());
  return 0;
}

// F7
TEST(MqQueueTest, TheUmaskIsNoMatter) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  Child child = Child::Start("umask_user");
  EXPECT_EQ(child.Hear(), "OK");
}

// R2, R3, R4: no half of a queue is left.
TEST(MqQueueTest, EachFailingCallLeavesNothing) {
  const World before = World::Now();
  for (const auto& [call, nth] : std::vector<std::pair<const char*, int>>{
           {"MqOpen", 1}, {"MqOpen", 2}, {"Fchmod", 1}, {"Fstat", 1}, {"Fstat", 2}}) {
    const OsTesting os({FailCall(call, EACCES, {.first = nth})});
    EXPECT_THAT(MakeMqQueue(kShape), StatusIs(absl::StatusCode::kPermissionDenied)) << call << nth;
    EXPECT_EQ(os.interventions(), 1) << call << nth;
    EXPECT_EQ(World::Now(), before) << call << nth;
  }
}

// F7: somebody guessed the names.
TEST(MqQueueTest, NamesOfOthersArePassedOver) {
  std::vector<Fd> squatters;
  const std::string first = NameAhead(1);
  std::vector<std::string> names;
  for (uint64_t i = 0; i < 3; ++i) {
    MqName name = *MqName::Parse(first.substr(1));
    name.number += i;
    names.push_back("/" + name.ToString());
    squatters.push_back(Squat(names.back()));
    ASSERT_TRUE(squatters.back().valid());
  }
  EXPECT_OK(MakeMqQueue(kShape));
  for (const std::string& name : names) EXPECT_EQ(mq_unlink(name.c_str()), 0) << "still there";
}

TEST(MqQueueTest, WhereAllNamesAreTakenItSaysSo) {
  const OsTesting os({FailCall("MqOpen", EEXIST, {.times = kAlways})});
  EXPECT_THAT(MakeMqQueue(kShape), StatusIs(kResourceExhausted, AllOf(HasSubstr("names"), HasSubstr("/dev/mqueue"))));
}

// F8
TEST(MqQueueTest, ANameThatIsRemovedTooEarlyIsNoticed) {
  const World before = World::Now();
  OsTesting os;
  const std::string name = NameAhead(1);
  os.AtPoint("mq.created", [&] { EXPECT_EQ(mq_unlink(name.c_str()), 0); });
  EXPECT_THAT(MakeMqQueue(kShape), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("removed")));
  EXPECT_EQ(World::Now(), before);
}

// F7
TEST(MqQueueTest, ANameThatIsGivenToAnotherQueueIsNoticed) {
  OsTesting os;
  const std::string name = NameAhead(1);
  Fd other;
  os.AtPoint("mq.created", [&] {
    EXPECT_EQ(mq_unlink(name.c_str()), 0);
    other = Squat(name);
  });
  EXPECT_THAT(MakeMqQueue(kShape), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("given to another")));
}

// R4, without the system's help.
TEST(MqQueueTest, EachLimitHasAnErrorOfItsOwn) {
  const auto error_of = [](const std::vector<OsInstruction>& instructions) {
    const OsTesting os(instructions);
    return MakeMqQueue({.message_bytes = 1 << 24, .messages = 65536}).status();
  };
  EXPECT_THAT(error_of({FailCall("MqOpen", EINVAL)}),
              StatusIs(kResourceExhausted, AllOf(HasSubstr("fs.mqueue.msg_max = "), HasSubstr("msg_max=65536"),
                                                 HasSubstr("msgsize_max=16777216"))));
  EXPECT_THAT(error_of({FailCall("MqOpen", EINVAL), FailCall("Read", EIO, {.times = kAlways})}),
              StatusIs(kResourceExhausted, AllOf(HasSubstr("fs.mqueue.msg_max (/proc"), HasSubstr("cannot be read"))));
  EXPECT_THAT(error_of({FailCall("MqOpen", ENOSPC)}),
              StatusIs(kResourceExhausted, HasSubstr("fs.mqueue.queues_max = ")));
  EXPECT_THAT(error_of({FailCall("MqOpen", EMFILE)}),
              StatusIs(kResourceExhausted, AllOf(HasSubstr("RLIMIT_MSGQUEUE"), HasSubstr("ulimit -q"))));
  EXPECT_THAT(error_of({FailCall("MqOpen", EMFILE), FailCall("EventFd", EMFILE)}),
              StatusIs(kResourceExhausted, HasSubstr("RLIMIT_NOFILE")));
  EXPECT_THAT(error_of({FailCall("MqOpen", ENFILE)}), StatusIs(kResourceExhausted, HasSubstr("fs.file-max")));
  EXPECT_THAT(error_of({FailCall("MqOpen", ENOMEM)}), StatusIs(kResourceExhausted));
  EXPECT_THAT(error_of({FailCall("MqOpen", ENOSYS)}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("CONFIG_POSIX_MQUEUE")));
  EXPECT_THAT(error_of({FailCall("MqOpen", EPERM)}), StatusIs(absl::StatusCode::kPermissionDenied));
}

// Tells what becomes of queues at each limit of the kernel, and what is left of them.
SLUICE_CHILD_ROLE(limited_user) {
  if (!EnterMqWorld()) {
    TellParent("may not");
    return 0;
  }
  SetMqLimit("msg_max", 7);
  SetMqLimit("msgsize_max", 512);
  SetMqLimit("queues_max", 3);
  BecomeFreshUser();
  const auto tell = [](const MqShape& shape) { TellParent(MakeMqQueue(shape).status().ToString()); };
  tell({.message_bytes = 512, .messages = 7});
  tell({.message_bytes = 512, .messages = 8});
  tell({.message_bytes = 513, .messages = 7});
  rlimit few = {.rlim_cur = 3000, .rlim_max = 3000};
  setrlimit(RLIMIT_MSGQUEUE, &few);
  tell({.message_bytes = 512, .messages = 7});
  std::vector<MqQueue> queues;
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<MqQueue> queue = MakeMqQueue({.message_bytes = 16, .messages = 1});
    if (!queue.ok()) return 1;
    queues.push_back(*std::move(queue));
  }
  tell({.message_bytes = 16, .messages = 1});
  queues.clear();
  tell({.message_bytes = 16, .messages = 1});
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  const rlimit no_more = {.rlim_cur = 3, .rlim_max = files.rlim_max};
  setrlimit(RLIMIT_NOFILE, &no_more);
  tell({.message_bytes = 16, .messages = 1});
  setrlimit(RLIMIT_NOFILE, &files);
  TellParent(MqNames().empty() ? "nothing left" : "names left");
  return 0;
}

// R4, F24: as the kernel says it to a user without capabilities.
TEST(MqQueueTest, TheKernelsLimitsAreNamed) {
  if (!CanBecomeUsers()) GTEST_SKIP() << "SKIPPED: needs root, to become other users";
  Child child = Child::Start("limited_user");
  const std::string at_the_limit = child.Hear();
  if (at_the_limit == "may not") GTEST_SKIP() << "SKIPPED: needs CAP_SYS_ADMIN, for limits of its own";
  EXPECT_EQ(at_the_limit, "OK");
  EXPECT_THAT(child.Hear(), AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("8 messages"),
                                  HasSubstr("fs.mqueue.msg_max = 7"), HasSubstr("fs.mqueue.msg_max=8")));
  EXPECT_THAT(child.Hear(), AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("513 bytes"),
                                  HasSubstr("fs.mqueue.msgsize_max = 512"), HasSubstr("fs.mqueue.msgsize_max=513")));
  EXPECT_THAT(child.Hear(),
              AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("the 3000 of RLIMIT_MSGQUEUE"), HasSubstr("ulimit -q")));
  EXPECT_THAT(child.Hear(), AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("fs.mqueue.queues_max = 3")));
  EXPECT_EQ(child.Hear(), "OK");
  EXPECT_THAT(child.Hear(), AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("RLIMIT_NOFILE")));
  EXPECT_EQ(child.Hear(), "nothing left");
  EXPECT_EQ(child.Wait(), 0);
}

// D2, H1
TEST(MqQueueTest, OnlyAReaderOfTheShapePassesTheCheck) {
  ASSERT_OK_AND_ASSIGN(const MqQueue queue, MakeMqQueue(kShape));
  const auto [socket, other] = MakeSocketPair();
  const Fd file(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  const Fd only_a_path(open(absl::StrCat("/proc/self/fd/", queue.reader.get()).c_str(), O_PATH | O_CLOEXEC));
  const Fd both(open(absl::StrCat("/proc/self/fd/", queue.reader.get()).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(file.valid() && only_a_path.valid() && both.valid());
  for (const FdView fd : {queue.writer.view(), both.view(), only_a_path.view(), socket.view(), file.view(), FdView()}) {
    EXPECT_THAT(CheckMqReader(fd, kShape), StatusIs(absl::StatusCode::kDataLoss)) << fd.get();
  }
  for (const MqShape& shape : {MqShape{63, 3}, MqShape{65, 3}, MqShape{64, 2}, MqShape{64, 4}}) {
    EXPECT_THAT(CheckMqReader(queue.reader, shape), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("announced")));
  }
  EXPECT_OK(CheckMqReader(queue.reader, kShape));
}

TEST(MqQueueTest, PassesItsPointsInOrder) {
  const OsTesting os;
  EXPECT_OK(MakeMqQueue(kShape));
  EXPECT_THAT(os.points(), ElementsAre("mq.created", "mq.opened", "mq.unlinked"));
}

}  // namespace
}  // namespace ipc::testing
