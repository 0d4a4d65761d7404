#include "ipc_transport/internal/descriptors.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::ReceivedPacket;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = ReceivedPacket::Kind;

constexpr int kPassPidFd = 76;  // SO_PASSPIDFD, which the headers of Debian 12 lack.

// Sends `bytes` bytes with `descriptors`.
absl::StatusOr<bool> Send(FdView socket, size_t bytes, const std::vector<FdView>& descriptors = {}) {
  const std::vector<std::byte> packet(bytes);
  const Blob part(packet);
  return ::ipc::internal::SendPacket(socket, absl::MakeConstSpan(&part, 1), descriptors);
}

absl::StatusOr<ReceivedPacket> Receive(FdView socket, size_t buffer_bytes, std::vector<Fd>* descriptors) {
  std::vector<std::byte> buffer(buffer_bytes);
  iovec part = {.iov_base = buffer.data(), .iov_len = buffer.size()};
  return ::ipc::internal::ReceivePacket(socket, absl::MakeSpan(&part, 1), descriptors);
}

// Control messages as no honest sender makes them.
struct RawControl {
  // A header that says `length`, with room for `numbers`.
  void Add(size_t length, const std::vector<int>& numbers) {
    const size_t at = bytes.size();
    bytes.resize(at + CMSG_SPACE(numbers.size() * sizeof(int)));
    const cmsghdr header = {.cmsg_len = length, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    std::memcpy(bytes.data() + at, &header, sizeof(header));
    std::copy(numbers.begin(), numbers.end(), reinterpret_cast<int*>(bytes.data() + at + CMSG_LEN(0)));
  }

  std::vector<char> bytes;
};

bool IsSameFile(FdView a, FdView b) {
  struct stat file_a;
  struct stat file_b;
  if (fstat(a.get(), &file_a) != 0 || fstat(b.get(), &file_b) != 0) return false;
  return file_a.st_dev == file_b.st_dev && file_a.st_ino == file_b.st_ino;
}

ino_t InodeOf(FdView fd) {
  struct stat file;
  EXPECT_EQ(fstat(fd.get(), &file), 0);
  return file.st_ino;
}

// Whether the kernel still has one of these sockets.
bool AnyInNetUnix(const std::set<ino_t>& inodes) {
  std::ifstream table("/proc/net/unix");
  std::string line;
  std::getline(table, line);  // The head.
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string skipped;
    ino_t inode = 0;
    for (int i = 0; i < 6; ++i) words >> skipped;
    words >> inode;
    if (inodes.contains(inode)) return true;
  }
  return false;
}

class DescriptorsTest : public ::testing::Test {
 protected:
  DescriptorsTest() { std::tie(here_, there_) = MakeSocketPair(); }

  // `count` times the same open file.
  std::vector<FdView> Some(size_t count) const { return std::vector<FdView>(count, null_.view()); }

  // One byte with `control`; as sendmsg(2) returns.
  ssize_t SendRaw(RawControl& control) {
    char byte = 0;
    iovec part = {.iov_base = &byte, .iov_len = 1};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    return sendmsg(here_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  // Switches an option of the receiving socket on; false: the kernel does not know it.
  bool SetOption(int option) {
    const int on = 1;
    return setsockopt(there_.get(), SOL_SOCKET, option, &on, sizeof(on)) == 0;
  }

  void ExpectPacket(size_t bytes, size_t descriptors) {
    std::vector<Fd> received;
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 100, &received));
    EXPECT_EQ(packet.kind, Kind::kPacket);
    EXPECT_EQ(packet.bytes, bytes);
    EXPECT_EQ(received.size(), descriptors);
    for (const Fd& fd : received) EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  }

  const Fd null_{open("/dev/null", O_RDONLY | O_CLOEXEC)};
  Fd here_;
  Fd there_;
};

// F9
TEST_F(DescriptorsTest, CarriesUpToTheKernelsLimit) {
  for (const size_t count : {0, 1, 16, 17, 253}) {
    EXPECT_THAT(Send(here_, 1, Some(count)), IsOkAndHolds(true));
    ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, count));
  }
}

// F9, D3: an error here, and not a byte beyond the control message's buffer.
TEST_F(DescriptorsTest, RefusesMoreThanTheKernelTakes) {
  for (const size_t count : {254, 255, 1000}) {
    EXPECT_THAT(Send(here_, 1, Some(count)),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(absl::StrCat(count)), HasSubstr("253"))));
  }
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 100, &received));
  EXPECT_EQ(packet.kind, Kind::kNone);
}

TEST_F(DescriptorsTest, PartsAreOnePacket) {
  const std::string texts[] = {"ab", "", "cde"};
  std::vector<Blob> parts;
  for (const std::string& text : texts) {
    parts.emplace_back(reinterpret_cast<const std::byte*>(text.data()), text.size());
  }
  EXPECT_THAT(::ipc::internal::SendPacket(here_, parts, {}), IsOkAndHolds(true));
  char first[1];
  char rest[10];
  std::array<iovec, 2> into = {{{.iov_base = first, .iov_len = 1}, {.iov_base = rest, .iov_len = 10}}};
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet,
                       ::ipc::internal::ReceivePacket(there_, absl::MakeSpan(into), &received));
  EXPECT_EQ(packet.bytes, 5u);
  EXPECT_EQ(std::string(first, 1) + std::string(rest, 4), "abcde");
}

// F11: each packet has its own, whatever came before and behind.
TEST_F(DescriptorsTest, DescriptorsStayWithTheirPacket) {
  std::minstd_rand random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<size_t, size_t>> packets;
    for (int i = 0; i < 20; ++i) packets.emplace_back(1 + random() % 100, random() % 4);
    for (const auto& [bytes, count] : packets) EXPECT_THAT(Send(here_, bytes, Some(count)), IsOkAndHolds(true));
    for (const auto& [bytes, count] : packets) ASSERT_NO_FATAL_FAILURE(ExpectPacket(bytes, count));
  }
}

TEST_F(DescriptorsTest, RefusesWhatIsNotOpen) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 1, {null_, FdView()}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not open")));
  EXPECT_THAT(Send(here_, 1, {FdView(1'000'000)}), StatusIs(absl::StatusCode::kInvalidArgument));
  const Fd unconnected(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  EXPECT_THAT(Send(unconnected, 1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not connected")));
  EXPECT_EQ(World::Now().descriptors.size(), before.descriptors.size() + 1);
}

TEST_F(DescriptorsTest, RefusesAPacketThatNoSocketTakes) {
  EXPECT_THAT(Send(here_, 64 * 1024 * 1024), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(DescriptorsTest, NothingThereIsNoError) {
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kNone);
}

// F22
TEST_F(DescriptorsTest, AFullSocketSaysSo) {
  absl::StatusOr<bool> sent = true;
  size_t count = 0;
  while (sent.ok() && *sent && ++count < 1'000'000) sent = Send(here_, 1);
  EXPECT_THAT(sent, IsOkAndHolds(false));
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 0));
  EXPECT_THAT(Send(here_, 1), IsOkAndHolds(true));
}

// D1: neither bytes nor descriptors of a packet that is too long.
TEST_F(DescriptorsTest, ALongerPacketIsDataLossAndItsDescriptorsAreClosed) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 101, Some(3)), IsOkAndHolds(true));
  std::vector<Fd> received;
  EXPECT_THAT(Receive(there_, 100, &received), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(World::Now(), before);
}

// F27: as if the kernel had cut it.
TEST_F(DescriptorsTest, APacketThatIsCutIsDataLoss) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 10, Some(2)), IsOkAndHolds(true));
  const OsTesting os({CutCall("RecvMsg", 1)});
  std::vector<Fd> received;
  EXPECT_THAT(Receive(there_, 100, &received), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(World::Now(), before);
}

// F27
TEST_F(DescriptorsTest, InterruptedCallsAreRepeated) {
  const OsTesting os({FailCall("SendMsg", EINTR, {.times = 100}), FailCall("RecvMsg", EINTR, {.times = 100})});
  EXPECT_THAT(Send(here_, 1, Some(2)), IsOkAndHolds(true));
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 2));
  EXPECT_EQ(os.interventions(), 200);
}

TEST_F(DescriptorsTest, ClosingIsTheEnd) {
  EXPECT_THAT(Send(here_, 1), IsOkAndHolds(true));
  here_.Close();
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 0));
  std::vector<Fd> received;
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
    EXPECT_EQ(packet.kind, Kind::kEnd);
  }
}

// F21: no signal, whatever is set.
TEST_F(DescriptorsTest, SendingToNobodyIsUnavailable) {
  signal(SIGPIPE, SIG_DFL);
  there_.Close();
  EXPECT_THAT(Send(here_, 1), StatusIs(absl::StatusCode::kUnavailable));
}

// F23: the kernel reports the reset once, before what the peer left.
TEST_F(DescriptorsTest, AResetHidesNothing) {
  EXPECT_THAT(Send(there_, 1), IsOkAndHolds(true));
  EXPECT_THAT(Send(here_, 2, Some(1)), IsOkAndHolds(true));
  here_.Close();
  ASSERT_NO_FATAL_FAILURE(ExpectPacket(2, 1));
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kEnd);
}

// D1: no packet of Sluice is empty; what came with it is closed.
TEST_F(DescriptorsTest, AnEmptyPacketIsTheEnd) {
  const World before = World::Now();
  EXPECT_THAT(Send(here_, 0, Some(2)), IsOkAndHolds(true));
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kEnd);
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(World::Now(), before);
}

// D1: control messages of other kinds beside the descriptors, which whoever shares the socket can ask for. There is
// room for them beside as many descriptors as the kernel takes.
TEST_F(DescriptorsTest, OtherControlMessagesDoNoHarm) {
  for (const int option : {SO_PASSCRED, SO_PASSSEC, SO_TIMESTAMP, SO_TIMESTAMPNS}) SetOption(option);
  for (const size_t count : {0, 1, 16, 253}) {
    EXPECT_THAT(Send(here_, 1, Some(count)), IsOkAndHolds(true));
    ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, count));
  }
}

// D1: one of those kinds is a descriptor, the sender's pidfd. Nobody asked for it, so it is closed.
TEST_F(DescriptorsTest, APidFdThatTheKernelAddsIsClosed) {
  SetOption(SO_PASSCRED);
  if (!SetOption(kPassPidFd)) GTEST_SKIP() << "SKIPPED: needs SO_PASSPIDFD, Linux 6.5";
  const World before = World::Now();
  for (const size_t count : {0, 1, 16, 253}) {
    EXPECT_THAT(Send(here_, 1, Some(count)), IsOkAndHolds(true));
    ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, count));
    EXPECT_EQ(World::Now(), before) << count;
  }
  // With a packet that is refused, and with the end.
  std::vector<Fd> received;
  EXPECT_THAT(Send(here_, 101, Some(3)), IsOkAndHolds(true));
  EXPECT_THAT(Receive(there_, 100, &received), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Send(here_, 0, Some(2)), IsOkAndHolds(true));
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kEnd);
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(World::Now(), before);
}

// D1: the kernel makes one list of the descriptors of several headers.
TEST_F(DescriptorsTest, DescriptorsOfTwoHeadersAreOneList) {
  const World before = World::Now();
  RawControl control;
  control.Add(CMSG_LEN(2 * sizeof(int)), {null_.get(), here_.get()});
  control.Add(CMSG_LEN(1 * sizeof(int)), {there_.get()});
  ASSERT_EQ(SendRaw(control), 1);
  {
    std::vector<Fd> received;
    ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
    EXPECT_EQ(packet.kind, Kind::kPacket);
    ASSERT_EQ(received.size(), 3u);
    EXPECT_TRUE(IsSameFile(received[0], null_));
    EXPECT_TRUE(IsSameFile(received[1], here_));
    EXPECT_TRUE(IsSameFile(received[2], there_));
  }
  EXPECT_EQ(World::Now(), before);
}

// D1: of a length that is no whole number of descriptors the kernel takes the whole ones; any other lie it refuses.
TEST_F(DescriptorsTest, LengthsThatLieBringNothingExtra) {
  const World before = World::Now();
  for (const auto& [data_bytes, expected] : {std::pair(0, 0), std::pair(3, 0), std::pair(5, 1), std::pair(11, 2)}) {
    RawControl control;
    control.Add(CMSG_LEN(data_bytes), std::vector<int>((data_bytes + 3) / sizeof(int), null_.get()));
    ASSERT_EQ(SendRaw(control), 1);
    ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, expected)) << data_bytes;
  }
  for (const size_t length : {size_t{0}, size_t{1}, sizeof(cmsghdr) - 1, size_t{1} << 20, ~size_t{0}}) {
    RawControl control;
    control.Add(length, {null_.get(), null_.get()});
    EXPECT_EQ(SendRaw(control), -1) << length;
    EXPECT_EQ(errno, EINVAL) << length;
  }
  std::vector<Fd> received;
  ASSERT_OK_AND_ASSIGN(const ReceivedPacket packet, Receive(there_, 1, &received));
  EXPECT_EQ(packet.kind, Kind::kNone);
  EXPECT_EQ(World::Now(), before);
}

// D2: whatever is open travels; who wants a memfd looks at what came (ipc_util/region.h).
TEST_F(DescriptorsTest, EveryKindOfDescriptorTravelsAndIsClosed) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  const Fd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Fd path(open("/dev/null", O_PATH | O_CLOEXEC));
  const Fd read_only(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const World before = World::Now();
  const std::vector<FdView> all = {reading, writing, directory, path, read_only, here_, there_};
  EXPECT_THAT(Send(here_, 1, all), IsOkAndHolds(true));
  {
    std::vector<Fd> received;
    EXPECT_THAT(Receive(there_, 1, &received), IsOk());
    ASSERT_EQ(received.size(), all.size());
    for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(IsSameFile(received[i], all[i])) << i;
  }
  EXPECT_EQ(World::Now(), before);
}

// F26: a socket's own ends sent over it, received or not.
TEST_F(DescriptorsTest, ASocketSentOverItselfLeavesNothing) {
  const World before = World::Now();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(Send(here_, 1, {here_, there_}), IsOkAndHolds(true));
    ASSERT_NO_FATAL_FAILURE(ExpectPacket(1, 2));
  }
  EXPECT_EQ(World::Now(), before);
  for (int i = 0; i < 100; ++i) EXPECT_THAT(Send(here_, 1, {here_, there_}), IsOkAndHolds(true));
  const std::set<ino_t> inodes = {InodeOf(here_), InodeOf(there_)};
  EXPECT_TRUE(AnyInNetUnix(inodes));
  here_.Close();
  there_.Close();
  // The kernel looks for such cycles, in a thread of its own, whenever another socket is closed.
  const Deadline deadline = TimeLimit();
  while (AnyInNetUnix(inodes) && !deadline.HasPassed()) MakeSocketPair();
  EXPECT_FALSE(AnyInNetUnix(inodes));
}

}  // namespace
}  // namespace ipc::testing
