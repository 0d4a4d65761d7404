#include "ipc_shm/server_scope_conformance.h"

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/internal/paged_arena.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/testing/model_object.h"
#include "ipc_transport/channel.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::AddressWindow;
using ::ipc::internal::ArenaOf;
using ::ipc::internal::ObjectArena;
using ::ipc::internal::SessionArena;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kLimit = uint64_t{64} << 20;
constexpr size_t kObjectBytes = 300'000;
constexpr App kOtherClient{.name = "otherCli"};
constexpr ServerApp kOtherServer{.app = {.name = "otherSrv"}, .allowed_clients = kMayConnect};
constexpr absl::string_view kBothMayConnect[] = {"cacheCli", "otherCli"};
constexpr ServerApp kServerOfBoth{.app = {.name = "cacheSrv"}, .allowed_clients = kBothMayConnect};

std::optional<ServerScopeKind>& Kind() {
  static std::optional<ServerScopeKind> kind;
  return kind;
}

SessionOptions Options(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 1;
  options.arena_bytes = kLimit;
  return options;
}

ServerOptions OptionsOfServer(const std::string& folder) {
  ServerOptions options = ServerOptionsIn(folder);
  options.session = Options(folder);
  return options;
}

std::string AddressOf(const void* object) { return absl::StrCat(absl::Hex(reinterpret_cast<uintptr_t>(object))); }

// Does what its parent says. What it borrowed outlives its session. Argument: the run folder.
SLUICE_CHILD_ROLE(scope_client) {
  std::signal(SIGSEGV, SIG_DFL);  // Sanitizers would end the process in their own way.
  std::optional<Session> session;
  Channel channel;
  std::shared_ptr<const ModelObject> object;
  const auto act = [&](const std::string& what) -> std::string {
    if (what == "connect") {
      absl::StatusOr<Session> connected = Kind()->sessions.connect(Options(arguments[0]));
      if (!connected.ok()) return connected.status().ToString();
      session.emplace(*std::move(connected));
      channel = session->TakeChannel(0);
      return "done";
    }
    if (what == "borrow") {
      const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel, TimeLimit());
      if (!ref.ok()) return ref.status().ToString();
      absl::StatusOr<std::shared_ptr<const ModelObject>> borrowed = ArenaOf(*session).Borrow<ModelObject>(*ref);
      if (!borrowed.ok()) return borrowed.status().ToString();
      object = *std::move(borrowed);
      return AddressOf(object.get());
    }
    if (what == "check") return object->IsGood() ? "done" : "spoilt";
    if (what == "release") {
      object = nullptr;
      return "done";
    }
    if (what == "end") {
      channel = Channel();
      session.reset();
      return "done";
    }
    if (what == "write") {
      Random random(1);
      const_cast<ModelObject&>(*object).ChangeNumbers(random);
      return "written";
    }
    return "what?";
  };
  for (std::string what = HearParent(); !what.empty(); what = HearParent()) TellParent(act(what));
  return 0;
}

// One client, and the server's side of its session.
class Client {
 public:
  explicit Client(const TempDir& folder) : child_(Child::Start("scope_client", {folder.path()})) {}

  void Connect(MemoryServerUnderTest& server) {
    child_.Tell("connect");
    absl::StatusOr<Session> session = server.Accept(TimeLimit());
    ASSERT_OK(session);
    ASSERT_EQ(child_.Hear(), "done");
    session_.emplace(*std::move(session));
    channel_ = session_->TakeChannel(0);
  }

  // Lends `object`; the client borrows it where it is.
  void Lend(const std::shared_ptr<ModelObject>& object) {
    ASSERT_OK_AND_ASSIGN(shm::Loan loan, arena().Lend(object));
    ASSERT_OK(shm::SendLoan(channel_, std::move(loan), TimeLimit()));
    EXPECT_EQ(Ask("borrow"), AddressOf(object.get()));
  }

  std::string Ask(const std::string& what) {
    child_.Tell(what);
    return child_.Hear();
  }

  // Both sides' sessions.
  void End() {
    EXPECT_EQ(Ask("end"), "done");
    channel_ = Channel();
    session_.reset();
  }

  // That of the server alone.
  void EndOwn() {
    channel_ = Channel();
    session_.reset();
  }

  size_t LoansOut() {
    arena().Reclaim(1000);
    return arena().loan_stats().loans_out;
  }

  Child& child() { return child_; }
  Session& session() { return *session_; }
  SessionArena arena() { return ArenaOf(*session_); }

 private:
  Child child_;
  std::optional<Session> session_;
  Channel channel_;
};

// A limit by which an arena takes some 4 % of the addresses that there are for them.
constexpr uint64_t kWideLimit = (AddressWindow::kSlots - AddressWindow::kFirstNamedSlot) *
                                uint64_t{AddressWindow::kSlotBytes} / ::ipc::internal::kWindowBytesPerLimitByte / 24;

// Makes some wide arenas. Argument: the run folder.
SLUICE_CHILD_ROLE(other_scope_server) {
  auto server = Kind()->listen(kOtherServer, OptionsOfServer(arguments[0]));
  if (!server.ok()) return 1;
  int made = 0;
  for (int i = 0; i < 10; ++i) made += (*server)->ArenaFor(absl::StrCat("theirs", i), kWideLimit).ok() ? 1 : 0;
  TellParent(made > 0 ? "made" : "none");
  HearParent();
  return 0;
}

}  // namespace

int SetServerScopeKind(const ServerScopeKind& kind) {
  Kind() = kind;
  return 0;
}

// K6: a killed client's loan is back, a stopped one's is not, and all others read on.
TEST_P(ServerScopeConformance, ManyClientsReadOneObjectWhereItIs) {
  constexpr int kClients = 5;
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kTestServer, OptionsOfServer(folder.path())));
  ASSERT_OK_AND_ASSIGN(ObjectArena arena, server->ArenaFor(kTestClient.name, kLimit));
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ModelObject> object, arena.Construct<ModelObject>(1, kObjectBytes));
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(folder).Connect(*server);
    clients.back().Lend(object);
  }
  for (Client& client : clients) {
    EXPECT_EQ(client.Ask("check"), "done");
    EXPECT_EQ(client.LoansOut(), 1u);
  }
  object = nullptr;
  clients[0].child().Kill();
  EXPECT_EQ(clients[0].LoansOut(), 0u);
  clients[1].child().Stop();
  EXPECT_EQ(clients[1].LoansOut(), 1u);
  for (int i = 2; i < kClients; ++i) {
    EXPECT_EQ(clients[i].Ask("check"), "done");
    EXPECT_EQ(clients[i].Ask("release"), "done");
    EXPECT_EQ(clients[i].LoansOut(), 0u);
  }
  EXPECT_EQ(ModelObject::living(), 1) << "the stopped one has it";
  clients[1].child().Continue();
  EXPECT_EQ(clients[1].Ask("check"), "done");
  EXPECT_EQ(clients[1].LoansOut(), 1u);
  EXPECT_EQ(clients[1].Ask("release"), "done");
  EXPECT_EQ(clients[1].LoansOut(), 0u);
  arena.Reclaim(1000);
  EXPECT_EQ(ModelObject::living(), 0);
  EXPECT_EQ(arena.loan_stats(), shm::LoanStats());
  EXPECT_EQ(arena.arena_stats().live_allocations, 0u);
}

TEST_P(ServerScopeConformance, ALaterSessionBorrowsTheObjectAgain) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kTestServer, OptionsOfServer(folder.path())));
  ASSERT_OK_AND_ASSIGN(ObjectArena arena, server->ArenaFor(kTestClient.name, kLimit));
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ModelObject> object, arena.Construct<ModelObject>(1, kObjectBytes));
  for (int i = 0; i < 3; ++i) {
    Client client(folder);
    for (int session = 0; session < 3; ++session) {
      client.Connect(*server);
      client.Lend(object);
      EXPECT_EQ(client.Ask("check"), "done");
      client.End();
      EXPECT_EQ(client.Ask("check"), "done") << "after the session";
    }
  }
  EXPECT_TRUE(object->IsGood());
  object = nullptr;
  arena.Reclaim(1000);
  EXPECT_EQ(ModelObject::living(), 0);
}

// The last owner goes first, and then the session: the last loan alone keeps it.
TEST_P(ServerScopeConformance, ItIsDestroyedOnceWhenTheLastLoanIsBack) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kTestServer, OptionsOfServer(folder.path())));
  ASSERT_OK_AND_ASSIGN(ObjectArena arena, server->ArenaFor(kTestClient.name, kLimit));
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ModelObject> object, arena.Construct<ModelObject>(1, kObjectBytes));
  Client client(folder);
  client.Connect(*server);
  client.Lend(object);
  object = nullptr;
  client.End();
  arena.Reclaim(1000);
  EXPECT_EQ(ModelObject::living(), 1);
  EXPECT_EQ(client.Ask("check"), "done");
  EXPECT_EQ(client.Ask("release"), "done");
  arena.Reclaim(1000);
  EXPECT_EQ(ModelObject::living(), 0);
  EXPECT_EQ(arena.arena_stats().live_allocations, 0u);
}

TEST_P(ServerScopeConformance, ObjectsThatTheClientDoesNotHaveAreRefused) {
  const TempDir folder;
  ServerOptions options = OptionsOfServer(folder.path());
  options.clients.push_back(kOtherClient);
  ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kServerOfBoth, options));
  Client early(folder);
  early.Connect(*server);
  ASSERT_OK_AND_ASSIGN(ObjectArena arena, server->ArenaFor(kTestClient.name, kLimit));
  ASSERT_OK_AND_ASSIGN(ObjectArena others, server->ArenaFor(kOtherClient.name, kLimit));
  Client late(folder);
  late.Connect(*server);

  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("the object lies in an arena that the peer does not have"));
  ASSERT_OK_AND_ASSIGN(const auto object, arena.Construct<ModelObject>(1, kObjectBytes));
  EXPECT_THAT(early.arena().Lend(object), refused) << "the arena is younger than the session";
  late.Lend(object);
  ASSERT_OK_AND_ASSIGN(const auto of_others, others.Construct<ModelObject>(2, kObjectBytes));
  EXPECT_THAT(late.arena().Lend(of_others), refused);
  ASSERT_OK_AND_ASSIGN(const auto of_early, early.arena().Construct<ModelObject>(3, kObjectBytes));
  EXPECT_THAT(late.arena().Lend(of_early), refused) << "of another session";
  EXPECT_EQ(late.Ask("check"), "done");
}

TEST_P(ServerScopeConformance, ServersWhoseNamesLeadToTheSameAddressesAreTold) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kTestServer, OptionsOfServer(folder.path())));
  Child other = Child::Start("other_scope_server", {folder.path()});
  ASSERT_EQ(other.Hear(), "made");
  std::string taken;
  for (int i = 0; i < 1000 && taken.empty(); ++i) {
    const std::string name = absl::StrCat("ours", i);
    const absl::Status status = server->ArenaFor(name, kWideLimit).status();
    if (absl::StrContains(status.message(), kOtherServer.app.name)) {
      taken = name;
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kAlreadyExists,
                                   AllOf(HasSubstr(absl::StrCat("the arena of server cacheSrv for clients ", name)),
                                         HasSubstr("are taken by the arena of server otherSrv for clients theirs"))));
    }
  }
  ASSERT_NE(taken, "");
  EXPECT_THAT(server->ArenaFor(taken, kWideLimit), StatusIs(absl::StatusCode::kAlreadyExists));
  other.Kill();
  // Those of this server may have the rest of them.
  const absl::Status status = server->ArenaFor(taken, kLimit).status();
  EXPECT_FALSE(absl::StrContains(status.message(), kOtherServer.app.name)) << status;
}

// The last session of a server has ended, and so has its client, with an object in its hands.
TEST_P(ServerScopeConformance, TheNextServerHasTheSameAddresses) {
  const TempDir folder;
  std::string address;
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kTestServer, OptionsOfServer(folder.path())));
    ASSERT_OK_AND_ASSIGN(ObjectArena arena, server->ArenaFor(kTestClient.name, kLimit));
    EXPECT_EQ(ModelObject::living(), 0);
    ASSERT_OK_AND_ASSIGN(const auto object, arena.Construct<ModelObject>(1, kObjectBytes));
    if (i == 0) address = AddressOf(object.get());
    EXPECT_EQ(AddressOf(object.get()), address);
    std::optional<Client> client;
    client.emplace(folder);
    client->Connect(*server);
    client->Lend(object);
    client->EndOwn();
    client.reset();
  }
}

// H5
TEST_P(ServerScopeConformance, AReaderThatWritesHurtsItselfAlone) {
  if (GetParam().peers_write) GTEST_SKIP() << "peers write";
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto server, GetParam().listen(kTestServer, OptionsOfServer(folder.path())));
  ASSERT_OK_AND_ASSIGN(ObjectArena arena, server->ArenaFor(kTestClient.name, kLimit));
  ASSERT_OK_AND_ASSIGN(const auto object, arena.Construct<ModelObject>(1, kObjectBytes));
  Client writer(folder);
  writer.Connect(*server);
  writer.Lend(object);
  EXPECT_EQ(writer.Ask("write"), "");
  EXPECT_EQ(writer.child().Wait(), -SIGSEGV);
  EXPECT_TRUE(object->IsGood());
  EXPECT_EQ(writer.LoansOut(), 0u);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
