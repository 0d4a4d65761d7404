// Channels between real processes: opened from either side, and killed or stopped at each point on the way.

#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/session_pair.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

SessionOptions WithoutChannels(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 0;
  return options;
}

PipeKind KindOf(const std::string& name) {
  for (const PipeKind kind : {PipeKind::kSocket, PipeKind::kMq}) {
    if (Name(kind) == name) return kind;
  }
  return PipeKind::kRing;
}

// Opens a channel of the given kind, asks once, and closes it; what went wrong, or the answer.
std::string OpenAndAsk(Session& session, PipeKind kind) {
  absl::StatusOr<Channel> channel = session.OpenChannel({.pipe = kind}, TimeLimit());
  return channel.ok() ? Ask(*channel, "hello") : channel.status().ToString();
}

// Accepts one channel after the other and echoes on each, until the session ends; why it did.
absl::Status AcceptAndEcho(Session& session) {
  while (true) {
    absl::StatusOr<ChannelOffer> offer = session.NextOffer(TimeLimit());
    if (!offer.ok()) return offer.status();
    absl::StatusOr<Channel> channel = offer->Accept({}, TimeLimit());
    if (channel.ok()) Echo(*channel).IgnoreError();
  }
}

std::vector<std::string> ChannelPoints(const OsTesting& os) {
  std::vector<std::string> points;
  for (const std::string& point : os.points()) {
    if (absl::StartsWith(point, "session.channel") || absl::StartsWith(point, "session.clos")) points.push_back(point);
  }
  return points;
}

// A client that opens a channel in each of several sessions, one after the other. Arguments: folder, kind. Tells what
// came of it, and the points that it passed.
SLUICE_CHILD_ROLE(opener) {
  const OsTesting os;
  {
    absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, WithoutChannels(arguments[0]));
    if (!session.ok()) {
      TellParent(session.status().ToString());
      return 1;
    }
    TellParent(OpenAndAsk(*session, KindOf(arguments[1])));
    // The other end goes too; what tells of it is read by any call.
    while (!absl::c_linear_search(os.points(), "session.channel.retired")) {
      if (!absl::IsDeadlineExceeded(session->NextOffer(absl::Milliseconds(1)).status())) return 2;
    }
  }
  TellParent(absl::StrJoin(ChannelPoints(os), " "));
  return 0;
}

// A server that accepts what its client opens. Arguments: folder. Tells how each session ended and the points so far.
SLUICE_CHILD_ROLE(acceptor) {
  const OsTesting os;
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.channels = 0;
  absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
  if (!server.ok()) return 1;
  TellParent("listening");
  while (true) {
    {
      absl::StatusOr<Session> session = server->Accept(TimeLimit());
      if (!session.ok()) return 2;
      TellParent(AcceptAndEcho(*session).ToString());
    }
    TellParent(absl::StrJoin(ChannelPoints(os), " "));
  }
}

Child StartAt(const std::string& role, const std::vector<std::string>& arguments, const OsInstruction& instruction) {
  return Child::Start(role, arguments, {.environment = {OsEnvironment({instruction})}, .inherited = {}});
}

class ChannelKillTest : public ::testing::TestWithParam<PipeKind> {
 protected:
  std::string kind() const { return std::string(Name(GetParam())); }

  // Lets the next client in, and accepts its channels until its session ends.
  absl::Status Serve() {
    absl::StatusOr<Session> session = server_->Accept(TimeLimit());
    return session.ok() ? AcceptAndEcho(*session) : session.status();
  }

  std::vector<std::string> ServeFreshOpener() {
    Child child = Child::Start("opener", {folder_.path(), kind()});
    EXPECT_EQ(ReasonOf(Serve()), Reason::kGoodbye);
    EXPECT_EQ(child.Hear(), "hello");
    const std::string points = child.Hear();
    EXPECT_EQ(child.Wait(), 0);
    return absl::StrSplit(points, ' ');
  }

  const TempDir folder_;
  absl::StatusOr<Server> server_ = absl::UnknownError("not started");
};

// K3: and an uninvolved session loses nothing.
TEST_P(ChannelKillTest, AKilledOpenerEndsItsSessionAlone) {
  ServerOptions options = ServerOptionsIn(folder_.path());
  options.session.channels = 0;
  server_ = Server::Listen(kTestServer, options);
  ASSERT_OK(server_);
  const std::vector<std::string> points = ServeFreshOpener();
  EXPECT_THAT(points, Contains("session.channel.open_sent"));
  EXPECT_THAT(points, Contains("session.channel.accepted"));
  EXPECT_THAT(points, Contains("session.channel.retire_sent"));
  EXPECT_THAT(points, Contains("session.channel.retired"));
  EXPECT_THAT(points, Contains("session.closed"));
  SessionPair bystanders;
  Channel bystander = bystanders.client->TakeChannel(0), other = bystanders.server->TakeChannel(0);
  const World before = World::Now();
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    {
      Child child = StartAt("opener", {folder_.path(), kind()}, KillAt(point));
      const absl::Status end = Serve();
      EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable));
      EXPECT_EQ(child.Wait(), -SIGKILL);
    }
    ServeFreshOpener();
    ASSERT_OK(bystander.Send({}));
    std::byte buffer[1];
    EXPECT_OK(other.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()));
    EXPECT_EQ(World::Now(), before);
  }
}

// K3
TEST_P(ChannelKillTest, AKilledAcceptorEndsTheOpening) {
  std::vector<std::string> points;
  {
    Child child = Child::Start("acceptor", {folder_.path()});
    ASSERT_EQ(child.Hear(), "listening");
    {
      ASSERT_OK_AND_ASSIGN(Session session,
                           Session::Connect(kTestClient, kTestServer, WithoutChannels(folder_.path())));
      EXPECT_EQ(OpenAndAsk(session, GetParam()), "hello");
    }
    EXPECT_THAT(child.Hear(), StartsWith("UNAVAILABLE"));
    points = absl::StrSplit(child.Hear(), ' ');
  }
  EXPECT_THAT(points, Contains("session.channel.offered"));
  EXPECT_THAT(points, Contains("session.channel.accept_sent"));
  EXPECT_THAT(points, Contains("session.closing"));
  const World before = World::Now();
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    Child child = StartAt("acceptor", {folder_.path()}, KillAt(point));
    ASSERT_EQ(child.Hear(), "listening");
    absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, WithoutChannels(folder_.path()));
    ASSERT_OK(session);
    const std::string answer = OpenAndAsk(*session, GetParam());
    EXPECT_TRUE(answer == "hello" || absl::StartsWith(answer, "UNAVAILABLE")) << answer;
    const bool dies_at_the_end = absl::StartsWith(point, "session.clos");
    if (!dies_at_the_end) {
      EXPECT_THAT(session->WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
    }
    session = absl::UnknownError("closed");
    EXPECT_EQ(child.Wait(), -SIGKILL);
  }
  EXPECT_EQ(World::Now(), before);
}

// B3: a stopped acceptor costs the opener its deadline; closing waits for nobody; what was sent is there afterwards.
TEST_P(ChannelKillTest, AStoppedAcceptorDelaysNobody) {
  Child child = StartAt("acceptor", {folder_.path()}, StopAt("session.channel.offered"));
  ASSERT_EQ(child.Hear(), "listening");
  {
    ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, WithoutChannels(folder_.path())));
    EXPECT_THAT(session.OpenChannel({.pipe = GetParam()}, absl::Milliseconds(20)),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
    child.WaitUntilStopped();
  }
  child.Continue();
  EXPECT_THAT(child.Hear(), StartsWith("UNAVAILABLE"));
  ASSERT_NE(child.Hear(), "");
  ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, WithoutChannels(folder_.path())));
  EXPECT_EQ(OpenAndAsk(session, GetParam()), "hello");
}

INSTANTIATE_TEST_SUITE_P(Kinds, ChannelKillTest, ::testing::Values(PipeKind::kRing, PipeKind::kSocket, PipeKind::kMq),
                         [](const auto& info) { return std::string(Name(info.param)); });

// K10: both at once, with channels being opened.
TEST(BothKilledTest, NothingIsLeft) {
  const TempDir folder;
  const World before = World::Now();
  for (int i = 0; i < 10; ++i) {
    Child server = Child::Start("acceptor", {folder.path()});
    ASSERT_EQ(server.Hear(), "listening");
    Child client = StartAt("opener", {folder.path(), "mq"}, KillAt("session.channel.open_sent"));
    EXPECT_EQ(client.Wait(), -SIGKILL);
    server.Kill();
  }
  EXPECT_EQ(World::Now(), before);
}

class ChannelsTest : public ::testing::Test {
 protected:
  SessionPair pair_;
};

TEST_F(ChannelsTest, OpeningsThatCrossInOneThreadEach) {
  ASSERT_OK_AND_ASSIGN(OpeningChannel ours, pair_.client->StartChannel({.metadata = "from the client"}));
  ASSERT_OK_AND_ASSIGN(OpeningChannel theirs, pair_.server->StartChannel({.metadata = "from the server"}));
  ASSERT_OK_AND_ASSIGN(ChannelOffer to_server, pair_.server->NextOffer(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(ChannelOffer to_client, pair_.client->NextOffer(TimeLimit()));
  EXPECT_EQ(to_server.metadata(), "from the client");
  EXPECT_EQ(to_client.metadata(), "from the server");
  ASSERT_OK_AND_ASSIGN(Channel a_server, to_server.Accept());
  ASSERT_OK_AND_ASSIGN(Channel b_client, to_client.Accept());
  ASSERT_OK_AND_ASSIGN(Channel a_client, ours.Wait(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(Channel b_server, theirs.Wait(TimeLimit()));
  EXPECT_OK(a_client.Send({}));
  std::byte buffer[1];
  EXPECT_OK(a_server.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()));
}

TEST_F(ChannelsTest, AnOfferThatNobodyAnswersIsRefusedWhenItIsDestroyed) {
  ASSERT_OK_AND_ASSIGN(OpeningChannel opening, pair_.client->StartChannel());
  {
    ASSERT_OK(pair_.server->NextOffer(TimeLimit()));
  }
  EXPECT_THAT(opening.Wait(TimeLimit()), StatusIs(absl::StatusCode::kPermissionDenied, "refused: nobody took it"));
  EXPECT_THAT(opening.Wait(TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ChannelsTest, AnOfferIsAnsweredOnce) {
  ASSERT_OK_AND_ASSIGN(OpeningChannel opening, pair_.client->StartChannel());
  ASSERT_OK_AND_ASSIGN(ChannelOffer offer, pair_.server->NextOffer(TimeLimit()));
  EXPECT_THAT(offer.Accept({.ring_bytes = 1}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(offer.Accept());
  EXPECT_THAT(offer.Accept(), StatusIs(absl::StatusCode::kFailedPrecondition));
  offer.Refuse("too late");
  EXPECT_OK(opening.Wait(TimeLimit()));
}

TEST_F(ChannelsTest, AMovedOfferAndOpeningAreWhatTheyWere) {
  ASSERT_OK_AND_ASSIGN(OpeningChannel opening, pair_.client->StartChannel({.metadata = "first"}));
  ASSERT_OK_AND_ASSIGN(OpeningChannel dropped, pair_.client->StartChannel({.metadata = "second"}));
  ASSERT_OK_AND_ASSIGN(ChannelOffer offer, pair_.server->NextOffer(TimeLimit()));
  ASSERT_OK_AND_ASSIGN(ChannelOffer second, pair_.server->NextOffer(TimeLimit()));
  second = std::move(offer);  // Refuses the one that it was.
  EXPECT_EQ(second.metadata(), "first");
  EXPECT_THAT(dropped.Wait(TimeLimit()), StatusIs(absl::StatusCode::kPermissionDenied));
  dropped = std::move(opening);
  EXPECT_OK(second.Accept());
  EXPECT_OK(dropped.Wait(TimeLimit()));
}

TEST_F(ChannelsTest, OffersAndOpeningsMayOutliveTheSession) {
  ASSERT_OK_AND_ASSIGN(OpeningChannel opening, pair_.client->StartChannel());
  ASSERT_OK_AND_ASSIGN(ChannelOffer offer, pair_.server->NextOffer(TimeLimit()));
  pair_.client.reset();
  pair_.server.reset();
  EXPECT_THAT(opening.Wait(TimeLimit()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(offer.Accept(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

// B2: neither a ring that is full of tiny messages, nor a socket, nor descriptors without end on their way.
TEST_F(ChannelsTest, AStormOnOneChannelDelaysNoOther) {
  Channel stormy = pair_.client->TakeChannel(0);
  const auto open = [&](PipeKind kind) {
    absl::StatusOr<OpeningChannel> opening = pair_.client->StartChannel({.pipe = kind});
    EXPECT_OK(opening);
    absl::StatusOr<ChannelOffer> offer = pair_.server->NextOffer(TimeLimit());
    EXPECT_OK(offer);
    EXPECT_OK(offer->Accept({}, TimeLimit()));
    return opening->Wait(TimeLimit());
  };
  ASSERT_OK_AND_ASSIGN(Channel stormy_socket, open(PipeKind::kSocket));
  const Fd descriptor(dup(0));
  const FdView view = descriptor;
  for (Channel* const channel : {&stormy, &stormy_socket}) {
    const std::byte tiny[1] = {};
    for (const size_t descriptors : {1, 0}) {
      absl::StatusOr<bool> sent = true;
      while (sent.ok() && *sent) sent = channel->TrySend(tiny, absl::MakeConstSpan(&view, descriptors));
    }
  }
  EXPECT_OK(open(PipeKind::kRing));
  EXPECT_OK(open(PipeKind::kSocket));
}

TEST_F(ChannelsTest, BadOptionsAreNamed) {
  EXPECT_THAT(pair_.client->OpenChannel({.metadata = std::string(4097, 'x')}, TimeLimit()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ChannelOptions.metadata has 4097 bytes")));
}

}  // namespace
}  // namespace ipc::testing
