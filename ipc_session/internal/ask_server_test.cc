#include "ipc_session/internal/ask_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/inquiry.h"
#include "ipc_session/internal/listening_socket.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ipc::internal::AnsweredInquiry;
using ipc::internal::AskServer;
using ipc::internal::ChannelReport;
using ipc::internal::ServerReport;
using ipc::internal::SessionReport;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

std::string SocketIn(const TempDir& folder) { return absl::StrCat(folder.path(), "/run/cacheSrv.sock"); }

// Arguments: folder, and how many clients log in. Takes them in, serves one message of each but the first, and then
// answers whoever asks until the parent says so; tells the lines of its log.
SLUICE_CHILD_ROLE(server) {
  LogLines log;
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  if (!server.ok()) return 1;
  TellParent("listening");
  int clients;
  if (!absl::SimpleAtoi(arguments[1], &clients)) return 1;
  std::vector<Session> sessions;
  std::vector<Channel> channels;
  for (int i = 0; i < clients; ++i) {
    absl::StatusOr<Session> session = server->Accept(TimeLimit());
    if (!session.ok()) return 1;
    channels.push_back(session->TakeChannel(0));
    sessions.push_back(*std::move(session));
    if (i == 0) continue;
    std::vector<std::byte> message(100);
    if (!channels.back().Receive(absl::MakeSpan(message), nullptr, TimeLimit()).ok()) return 1;
    if (!channels.back().Send(absl::MakeConstSpan(message).first(7), {}, TimeLimit()).ok()) return 1;
    absl::StatusOr<ChannelOffer> offer = sessions.back().NextOffer(TimeLimit());
    if (!offer.ok()) return 1;
    absl::StatusOr<Channel> later = offer->Accept({}, TimeLimit());
    if (!later.ok()) return 1;
    channels.push_back(*std::move(later));
  }
  TellParent("serving");
  while (absl::IsDeadlineExceeded(server->Accept(absl::Milliseconds(10)).status())) {
    if (access(absl::StrCat(arguments[0], "/stop").c_str(), F_OK) == 0) break;
  }
  TellParent(absl::StrCat(log.lines().size(), " lines"));
  return 0;
}

TEST(AskServerTest, TellsOfEachSessionAndItsTraffic) {
  const TempDir folder;
  const std::string run_folder = absl::StrCat(folder.path(), "/run");
  Child server = Child::Start("server", {run_folder, "2"});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session idle, Session::Connect(kTestClient, kTestServer, OptionsIn(run_folder)));
  ASSERT_OK_AND_ASSIGN(Session busy, Session::Connect(kTestClient, kTestServer, OptionsIn(run_folder)));
  Channel channel = busy.TakeChannel(0);
  std::vector<std::byte> message(100);
  ASSERT_OK(channel.Send(message, {}, TimeLimit()));
  ASSERT_OK(channel.Receive(absl::MakeSpan(message), nullptr, TimeLimit()).status());
  ASSERT_OK_AND_ASSIGN(const Channel later, busy.OpenChannel({.pipe = PipeKind::kSocket}, TimeLimit()));
  ASSERT_EQ(server.Hear(), "serving");

  ASSERT_OK_AND_ASSIGN(const AnsweredInquiry answer, AskServer(SocketIn(folder), TimeLimit()));
  EXPECT_EQ(answer.server.pid, server.pid());
  EXPECT_EQ(answer.server.uid, geteuid());
  EXPECT_EQ(answer.report.app, "cacheSrv");
  EXPECT_EQ(answer.report.kind, ipc::internal::MemoryKind::kHeap);
  EXPECT_EQ(answer.report.sessions, 2);
  ASSERT_EQ(answer.report.listed.size(), 2);
  for (const SessionReport& session : answer.report.listed) {
    EXPECT_EQ(session.peer.app, "cacheCli");
    EXPECT_EQ(session.peer.credentials, OwnCredentials());
    EXPECT_LT(absl::AbsDuration(absl::Now() - absl::FromUnixNanos(session.opened_unix_nanos)), absl::Hours(1));
    EXPECT_FALSE(session.has_ended);
    EXPECT_EQ(session.memory, std::nullopt);
  }
  ASSERT_EQ(answer.report.listed[0].channels, 1);
  ASSERT_EQ(answer.report.listed[0].listed.size(), 1);
  EXPECT_EQ(answer.report.listed[0].listed[0].sent.messages, 0);
  EXPECT_EQ(answer.report.listed[0].listed[0].received.messages, 0);

  ASSERT_EQ(answer.report.listed[1].channels, 2);
  ASSERT_EQ(answer.report.listed[1].listed.size(), 2);
  const ChannelReport& used = answer.report.listed[1].listed[0];
  EXPECT_EQ(used.id, 0);
  EXPECT_EQ(used.pipe, PipeKind::kRing);
  EXPECT_EQ(used.received.messages, 1);
  EXPECT_EQ(used.received.bytes, 100);
  EXPECT_EQ(used.sent.messages, 1);
  EXPECT_EQ(used.sent.bytes, 7);
  EXPECT_EQ(answer.report.listed[1].listed[1].pipe, PipeKind::kSocket);
}

TEST(AskServerTest, IsNothingForTheServersLogAndLeavesNothingBehind) {
  const TempDir folder;
  const std::string run_folder = absl::StrCat(folder.path(), "/run");
  Child server = Child::Start("server", {run_folder, "1"});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(const Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(run_folder)));
  ASSERT_EQ(server.Hear(), "serving");
  for (int i = 0; i < 100; ++i) ASSERT_OK(AskServer(SocketIn(folder), TimeLimit()).status());
  const Fd stop(creat(absl::StrCat(run_folder, "/stop").c_str(), 0600));
  EXPECT_EQ(server.Hear(), "0 lines");
  EXPECT_EQ(server.Wait(), 0);
}

TEST(AskServerTest, NobodyListens) {
  const TempDir folder;
  const auto answer = AskServer(SocketIn(folder), TimeLimit());
  EXPECT_THAT(answer, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ReasonOf(answer.status()), Reason::kNoServer);
}

TEST(AskServerTest, AServerThatIsNotInAcceptDoesNotAnswer) {
  const TempDir folder;
  const auto server = Server::Listen(kTestServer, ServerOptionsIn(absl::StrCat(folder.path(), "/run")));
  ASSERT_OK(server.status());
  EXPECT_THAT(AskServer(SocketIn(folder), absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// Arguments: the socket's path, and what to answer.
SLUICE_CHILD_ROLE(hostile) {
  const auto listener = ipc::internal::ListeningSocket::Listen(arguments[0], 0600);
  if (!listener.ok()) return 1;
  TellParent("listening");
  Fd client;
  while (!client.valid()) client = Fd(accept4((*listener)->fd().get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!ipc::internal::ReceiveFrame(client, PidFd(), TimeLimit()).ok()) return 1;
  const std::string& answer = arguments[1];
  const auto send = [&](const std::string& packet, absl::Span<const FdView> descriptors = {}) {
    return ipc::internal::SendFrame(client, packet, descriptors, TimeLimit()).ok();
  };
  const std::string report = ipc::internal::EncodeReport(ServerReport{.app = "cacheSrv"})[0];
  if (answer == "garbage") send("what is it that you want?");
  if (answer == "too much") send(std::string(5000, 'x'));
  if (answer == "half") send(report.substr(0, report.size() / 2));
  const FdView descriptors[] = {client};
  if (answer == "descriptors") send(report, descriptors);
  if (answer == "nothing") HearParent();
  return 0;
}

struct Hostile {
  const char* answer;
  absl::StatusCode code;
};

class HostileServerTest : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileServerTest, IsNoReport) {  // V1
  const TempDir folder;
  const std::string path = absl::StrCat(folder.path(), "/cacheSrv.sock");
  Child server = Child::Start("hostile", {path, GetParam().answer});
  ASSERT_EQ(server.Hear(), "listening");
  const bool is_silent = GetParam().code == absl::StatusCode::kDeadlineExceeded;
  EXPECT_THAT(AskServer(path, is_silent ? Deadline(absl::Milliseconds(50)) : Deadline(TimeLimit())),
              StatusIs(GetParam().code));
}

INSTANTIATE_TEST_SUITE_P(All, HostileServerTest,
                         ::testing::Values(Hostile{"garbage", kDataLoss}, Hostile{"too much", kDataLoss},
                                           Hostile{"half", kDataLoss}, Hostile{"descriptors", kDataLoss},
                                           Hostile{"nothing", absl::StatusCode::kDeadlineExceeded},
                                           Hostile{"goes away", absl::StatusCode::kUnavailable}));

}  // namespace
}  // namespace ipc::testing
