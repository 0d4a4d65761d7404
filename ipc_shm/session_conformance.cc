#include "ipc_shm/session_conformance.h"

#include <malloc.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/testing/shared_pages.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using sluice_test::Parcel;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kPartBytes = 1'000'000;
constexpr size_t kArenaBytes = size_t{64} << 20;

std::optional<SessionKindUnderTest>& Kind() {
  static std::optional<SessionKindUnderTest> kind;
  return kind;
}

SessionOptions Options(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.arena_bytes = kArenaBytes;
  return options;
}

StructuredChannel<Parcel> ChannelOf(Session& session) {
  return StructuredChannel<Parcel>::Upgrade(session.TakeChannel(0), session);
}

// Answers each request for a number of parts with as many, until the client has gone. A request with parts of its own
// must be a good one, and is answered by its number alone.
absl::Status ServeParcels(Session& session) {
  StructuredChannel<Parcel> channel = ChannelOf(session);
  while (true) {
    absl::StatusOr<Incoming<Parcel>> request = channel.Receive(Deadline::Never());
    if (!request.ok()) return absl::IsUnavailable(request.status()) ? absl::OkStatus() : request.status();
    const Parcel::Reader question = request->body();
    Message<Parcel> answer = channel.NewMessage();
    if (question.getParts().size() == 0) {
      Fill(answer.body(), question.getNumber(), question.getNumber(), kPartBytes);
    } else if (IsFilled(question, question.getNumber(), question.getParts().size(), kPartBytes)) {
      answer.body().setNumber(question.getNumber());
    }
    if (absl::Status sent = request->Reply(std::move(answer), TimeLimit()); !sent.ok()) return sent;
  }
}

// Serves parcels to one client after another.
SLUICE_CHILD_ROLE(parcel_server) {
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.arena_bytes = kArenaBytes;
  const absl::Status ended = Kind()->serve(options, [] { TellParent("listening"); }, ServeParcels);
  TellParent(ended.ToString());
  return 1;
}

// The answer to a request for a number of parts.
absl::Status AnswerWithParts(StructuredChannel<Parcel>& channel, Incoming<Parcel> request) {
  Message<Parcel> answer = channel.NewMessage();
  const uint64_t parts = request.body().getNumber();
  Fill(answer.body(), parts, parts, kPartBytes);
  return request.Reply(std::move(answer), TimeLimit());
}

// Accepts every channel, and answers on all of them by handlers that the session's Dispatch runs.
absl::Status DispatchParcels(Session& session) {
  std::vector<std::unique_ptr<StructuredChannel<Parcel>>> channels;
  session.OnOffer([&](ChannelOffer offer) {
    absl::StatusOr<Channel> accepted = offer.Accept({}, TimeLimit());
    if (!accepted.ok()) return;
    channels.push_back(
        std::make_unique<StructuredChannel<Parcel>>(StructuredChannel<Parcel>::Upgrade(*std::move(accepted), session)));
    StructuredChannel<Parcel>& channel = *channels.back();
    channel.OnOther(
        [&channel](Incoming<Parcel> request) { AnswerWithParts(channel, std::move(request)).IgnoreError(); });
  });
  absl::Status status;
  while (status.ok()) status = session.Dispatch(Deadline::Never());
  return absl::IsUnavailable(status) ? absl::OkStatus() : status;
}

// As `parcel_server`, but driven by `Session::Dispatch`.
SLUICE_CHILD_ROLE(parcel_dispatcher) {
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.arena_bytes = kArenaBytes;
  TellParent(Kind()->serve(options, [] { TellParent("listening"); }, DispatchParcels).ToString());
  return 1;
}

// Asks for as many parts as it is told, keeps them, and says how that went.
SLUICE_CHILD_ROLE(parcel_client) {
  absl::StatusOr<Session> session = Kind()->connect(Options(arguments[0]));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  StructuredChannel<Parcel> channel = ChannelOf(*session);
  uint64_t parts;
  if (!absl::SimpleAtoi(arguments[1], &parts)) return 1;
  Message<Parcel> request = channel.NewMessage();
  request.body().setNumber(parts);
  const absl::StatusOr<Incoming<Parcel>> answer = channel.Request(std::move(request), TimeLimit());
  TellParent(answer.ok() ? "kept" : answer.status().ToString());
  HearParent();
  return 0;
}

// A server that asks: of each client for parts, and tells how that went.
absl::Status AskForParts(Session& session) {
  StructuredChannel<Parcel> channel = ChannelOf(session);
  for (const uint64_t parts : {0, 1, 5}) {
    Message<Parcel> request = channel.NewMessage();
    request.body().setNumber(parts);
    const absl::StatusOr<Incoming<Parcel>> answer = channel.Request(std::move(request), TimeLimit());
    const bool is_good = answer.ok() && IsFilled(answer->body(), parts, parts, kPartBytes);
    TellParent(is_good ? "good" : answer.status().ToString());
  }
  return absl::OkStatus();
}

SLUICE_CHILD_ROLE(asking_server) {
  ServerOptions options = ServerOptionsIn(arguments[0]);
  options.session.arena_bytes = kArenaBytes;
  TellParent(Kind()->serve(options, [] { TellParent("listening"); }, AskForParts).ToString());
  return 1;
}

// Sends requests with parts of their own, for ever.
SLUICE_CHILD_ROLE(parcel_sender) {
  absl::StatusOr<Session> session = Kind()->connect(Options(arguments[0]));
  if (!session.ok()) return 1;
  StructuredChannel<Parcel> channel = ChannelOf(*session);
  while (true) {
    Message<Parcel> request = channel.NewMessage();
    Fill(request.body(), 20, 20, kPartBytes);
    if (!channel.Request(std::move(request), TimeLimit()).ok()) return 2;
  }
}

// The line of /proc/self/maps for `address`: what is mapped there, and how.
std::string MappingOf(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin, end;
    char dash;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    if (begin <= wanted && wanted < end) return line;
  }
  return "nothing";
}

// A server in a process of its own, and this process as its client.
class Served {
 public:
  explicit Served(const SessionKindUnderTest& kind) : server_(Child::Start("parcel_server", {folder_.path()})) {
    EXPECT_EQ(server_.Hear(), "listening");
    absl::StatusOr<Session> session = kind.connect(Options(folder_.path()));
    EXPECT_OK(session);
    session_.emplace(*std::move(session));
    channel_.emplace(ChannelOf(*session_));
  }

  absl::StatusOr<Incoming<Parcel>> Ask(uint64_t parts) {
    Message<Parcel> request = channel_->NewMessage();
    request.body().setNumber(parts);
    return channel_->Request(std::move(request), TimeLimit());
  }

  Child& server() { return server_; }
  Session& session() { return *session_; }
  StructuredChannel<Parcel>& channel() { return *channel_; }
  void Close() {
    channel_.reset();
    session_.reset();
  }

 private:
  TempDir folder_;
  Child server_;
  std::optional<Session> session_;
  std::optional<StructuredChannel<Parcel>> channel_;
};

}  // namespace

int SetSessionKind(const SessionKindUnderTest& kind) {
  Kind() = kind;
  return 0;
}

TEST_P(SessionConformance, LargeAnswersAreReadInPlace) {
  Served served(GetParam());
  for (const uint64_t parts : {0, 1, 2, 20}) {
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, served.Ask(parts));
    EXPECT_TRUE(IsFilled(answer.body(), parts, parts, kPartBytes));
    if (parts == 0) continue;
    EXPECT_THAT(MappingOf(answer.body().getParts()[parts - 1].begin()), HasSubstr("/memfd:sluice-"));
  }
}

TEST_P(SessionConformance, LargeRequestsToo) {
  Served served(GetParam());
  for (const uint64_t parts : {1, 2, 20}) {
    Message<Parcel> request = served.channel().NewMessage();
    Fill(request.body(), parts, parts, kPartBytes);
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, served.channel().Request(std::move(request), TimeLimit()));
    EXPECT_EQ(answer.body().getNumber(), parts);
  }
}

// Many times the arena goes through it, both ways.
TEST_P(SessionConformance, MemoryComesBack) {
  Served served(GetParam());
  for (int i = 0; i < 50; ++i) {
    Message<Parcel> request = served.channel().NewMessage();
    Fill(request.body(), i, 5, kPartBytes);
    ASSERT_OK(served.channel().Request(std::move(request), TimeLimit()));
    ASSERT_OK(served.Ask(5));
  }
}

// H6: neither addresses of private memory nor what lay in it before.
TEST_P(SessionConformance, MessagesTellNothingOfPrivateMemory) {
  mallopt(M_PERTURB, SharedPages::kOldByte);
  {
    Served served(GetParam());
    // Within the ring, around the largest that lies there, and beyond.
    for (const size_t bytes : {0, 1, 100, 900, 1000, 1100, 5000, 1'000'000}) {
      Message<Parcel> request = served.channel().NewMessage();
      Fill(request.body(), bytes, 3, bytes);
      ASSERT_OK(served.channel().Request(std::move(request), TimeLimit()));
      ASSERT_OK(served.Ask(2));
    }
    const SharedPages pages = SharedPages::Now();
    EXPECT_EQ(pages.private_addresses, "");
    EXPECT_EQ(pages.old_words, 0u);
    EXPECT_GT(pages.words, 100'000u);
    // It would be seen.
    Message<Parcel> request = served.channel().NewMessage();
    capnp::Data::Builder part = request.body().initParts(1).init(0, 2000);
    std::fill(part.begin(), part.end(), SharedPages::kOldByte);
    ASSERT_OK(served.channel().Request(std::move(request), TimeLimit()));
    EXPECT_GT(SharedPages::Now().old_words, 100u);
  }
  mallopt(M_PERTURB, 0);
}

// R1: the message that does not fit is refused with figures, and the session goes on.
TEST_P(SessionConformance, AFullArenaIsAnErrorOfTheMessage) {
  Served served(GetParam());
  Message<Parcel> request = served.channel().NewMessage();
  Fill(request.body(), 1, kArenaBytes / kPartBytes + 1, kPartBytes);
  const auto is_full = StatusIs(absl::StatusCode::kResourceExhausted,
                                AllOf(HasSubstr("67108864"), HasSubstr("SessionOptions::arena_bytes")));
  EXPECT_THAT(request.status(), is_full);
  EXPECT_THAT(served.channel().Request(std::move(request), TimeLimit()), is_full);
  EXPECT_OK(served.Ask(3));
}

TEST_P(SessionConformance, WhatWasReceivedOutlivesTheSession) {
  Served served(GetParam());
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, served.Ask(3));
  served.Close();
  served.server().Kill();
  EXPECT_TRUE(IsFilled(answer.body(), 3, 3, kPartBytes));
}

// K6, seen from the borrower.
TEST_P(SessionConformance, AKilledServerIsNoticed) {
  Served served(GetParam());
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, served.Ask(3));
  served.server().Kill();
  EXPECT_THAT(served.Ask(1), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(served.session().WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(IsFilled(answer.body(), 3, 3, kPartBytes));
}

// K6: one client after another dies with most of the server's arena in its hands; each time all of it comes back.
TEST_P(SessionConformance, KilledClientsTakeNothingWithThem) {
  const TempDir folder;
  Child server = Child::Start("parcel_server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  for (int i = 0; i < 5; ++i) {
    Child client = Child::Start("parcel_client", {folder.path(), "40"});
    ASSERT_EQ(client.Hear(), "kept");
    client.Kill();
  }
}

// K5: a message that is lent and never sent ends with its sender; the server goes on.
TEST_P(SessionConformance, AClientKilledBeforeItSendsHurtsNobody) {
  const TempDir folder;
  Child server = Child::Start("parcel_server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  for (const int sent_before : {0, 3}) {
    Child sender = Child::Start(
        "parcel_sender", {folder.path()},
        {.environment = {OsEnvironment({KillAt("structured.lent", {.first = sent_before + 1})})}, .inherited = {}});
    EXPECT_EQ(sender.Wait(), -SIGKILL);
    Child client = Child::Start("parcel_client", {folder.path(), "40"});
    EXPECT_EQ(client.Hear(), "kept");
  }
}

// E3, E9: one Dispatch runs the handlers of all channels, whatever carries them.
TEST_P(SessionConformance, HandlersOfChannelsThatAreOpenedLater) {
  const TempDir folder;
  Child server = Child::Start("parcel_dispatcher", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, GetParam().connect(Options(folder.path())));
  std::vector<StructuredChannel<Parcel>> channels;
  for (const PipeKind kind : {PipeKind::kRing, PipeKind::kSocket, PipeKind::kMq, PipeKind::kRing}) {
    ASSERT_OK_AND_ASSIGN(Channel channel, session.OpenChannel({.pipe = kind}, TimeLimit()));
    channels.push_back(StructuredChannel<Parcel>::Upgrade(std::move(channel), session));
  }
  for (uint64_t round = 0; round < 3; ++round) {
    for (StructuredChannel<Parcel>& channel : channels) {
      Message<Parcel> request = channel.NewMessage();
      request.body().setNumber(round);
      ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, channel.Request(std::move(request), TimeLimit()));
      EXPECT_TRUE(IsFilled(answer.body(), round, round, kPartBytes));
    }
  }
}

// E1: whoever listened may be the one that asks; a session is the same on both sides.
TEST_P(SessionConformance, RolesMayBeSwapped) {
  const TempDir folder;
  Child server = Child::Start("asking_server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  ASSERT_OK_AND_ASSIGN(Session session, GetParam().connect(Options(folder.path())));
  EXPECT_OK(ServeParcels(session));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(server.Hear(), "good");
}

TEST_P(SessionConformance, NothingIsLeftBehind) {
  {
    Served warm_up(GetParam());
  }
  const World before = World::Now();
  {
    Served served(GetParam());
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, served.Ask(10));
    EXPECT_NE(World::Now(), before);
    served.Close();
  }
  EXPECT_EQ(World::Now(), before);
}

TEST_P(SessionConformance, AnotherKindOfClientIsRefused) {
  const TempDir folder;
  Child server = Child::Start("parcel_server", {folder.path()});
  ASSERT_EQ(server.Hear(), "listening");
  const absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(folder.path()));
  EXPECT_THAT(session, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("heap")));
  EXPECT_EQ(ReasonOf(session.status()), Reason::kWrongKind);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
