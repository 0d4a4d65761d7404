// R6: sessions and channels opened and closed again and again leave nothing behind, on either side.

#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/growth.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

// What one session does on either side before it is closed.
std::string UseAsClient(Session& session) {
  Channel channel = session.TakeChannel(0);
  return Ask(channel, "hello");
}
void UseAsServer(Session& session) {
  Channel channel = session.TakeChannel(0);
  Echo(channel).IgnoreError();
}

// How many of them: `few`, or what the environment says.
int Cycles(const char* variable, int few) {
  const char* const text = std::getenv(variable);
  int cycles = few;
  if (text != nullptr && !absl::SimpleAtoi(text, &cycles)) std::abort();
  return cycles;
}

// Serves as many sessions as it is told, twice; then tells what has grown between. Argument: the run folder.
SLUICE_CHILD_ROLE(server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  const auto serve = [&] {
    int sessions = 0;
    if (!absl::SimpleAtoi(HearParent(), &sessions)) std::abort();
    for (int i = 0; i < sessions; ++i) {
      absl::StatusOr<Session> session = server->Accept(TimeLimit());
      if (!session.ok()) std::abort();
      UseAsServer(*session);
    }
    return sessions;
  };
  serve();
  const Sample early = Sample::Now();
  const int sessions = serve();
  TellParent(absl::StrCat("grown: ", Growth(early, Sample::Now(), sessions)));
  return 0;
}

TEST(SoakTest, SessionsLeaveNothingBehind) {
  const int sessions = Cycles("SESSION_SOAK_SESSIONS", 300);
  const int first = sessions / 10;

  const TempDir folder;
  Child server = Child::Start("server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  const auto use = [&](int count) {
    server.Tell(absl::StrCat(count));
    for (int i = 0; i < count; ++i) {
      ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder.path())));
      ASSERT_EQ(UseAsClient(session), "hello");
    }
  };
  use(first);
  const Sample early = Sample::Now();
  use(sessions - first);
  EXPECT_EQ(Growth(early, Sample::Now(), sessions - first), "");
  EXPECT_EQ(server.Hear(), "grown: ");
  EXPECT_EQ(server.Wait(), 0);
}

// Accepts as many channels as it is told, twice, and echoes on each; then tells what has grown between. Argument: the
// run folder.
SLUICE_CHILD_ROLE(acceptor) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  absl::StatusOr<Session> session = server->Accept(TimeLimit());
  if (!session.ok()) return 2;
  const auto accept = [&] {
    int channels = 0;
    if (!absl::SimpleAtoi(HearParent(), &channels)) std::abort();
    for (int i = 0; i < channels; ++i) {
      absl::StatusOr<ChannelOffer> offer = session->NextOffer(TimeLimit());
      if (!offer.ok()) std::abort();
      absl::StatusOr<Channel> channel = offer->Accept({}, TimeLimit());
      if (!channel.ok()) std::abort();
      Echo(*channel).IgnoreError();
    }
    return channels;
  };
  accept();
  const Sample early = Sample::Now();
  const int channels = accept();
  TellParent(absl::StrCat("grown: ", Growth(early, Sample::Now(), channels)));
  return 0;
}

TEST(SoakTest, ChannelsLeaveNothingBehind) {
  const int channels = Cycles("SESSION_SOAK_CHANNELS", 1000);
  const int first = channels / 10;
  const TempDir folder;
  Child acceptor = Child::Start("acceptor", {folder.path()});
  ASSERT_EQ(acceptor.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, Session::Connect(kTestClient, kTestServer, OptionsIn(folder.path())));
  const auto use = [&](int count) {
    acceptor.Tell(absl::StrCat(count));
    for (int i = 0; i < count; ++i) {
      // Most over rings; the others are some, as each costs the system more.
      const PipeKind kind = i % 50 == 0 ? PipeKind::kSocket : i % 50 == 1 ? PipeKind::kMq : PipeKind::kRing;
      ASSERT_OK_AND_ASSIGN(Channel channel,
                           session.OpenChannel({.pipe = kind, .sizes = {.ring_bytes = 4096}}, TimeLimit()));
      ASSERT_EQ(Ask(channel, "hello"), "hello");
    }
  };
  use(first);
  const Sample early = Sample::Now();
  use(channels - first);
  EXPECT_EQ(Growth(early, Sample::Now(), channels - first), "");
  EXPECT_EQ(acceptor.Hear(), "grown: ");
  EXPECT_EQ(acceptor.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
