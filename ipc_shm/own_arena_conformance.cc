#include "ipc_shm/own_arena_conformance.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "ipc_session/channel_offer.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/session_terms.h"
#include "ipc_shm/arena_options.h"
#include "ipc_shm/internal/lending_arena.h"
#include "ipc_shm/internal/object_arena.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm/testing/model_object.h"
#include "ipc_transport/channel.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/address_space.h"
#include "ipc_util/region.h"
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
using ::ipc::internal::Reservation;
using ::ipc::internal::SessionArena;
using ::ipc::internal::StandaloneArena;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kLimit = uint64_t{16} << 20;
constexpr size_t kObjectBytes = 30'000;

std::optional<OwnArenaKind>& Kind() {
  static std::optional<OwnArenaKind> kind;
  return kind;
}

SessionOptions Options(const std::string& folder) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 1;
  options.ring_bytes = 4096;
  options.arena_bytes = kLimit;
  return options;
}

std::string AddressOf(const void* object) { return absl::StrCat(reinterpret_cast<uintptr_t>(object)); }

std::string ToString(const absl::Status& status) { return status.ok() ? "done" : status.ToString(); }

// What a peer does that its parent tells. What it holds outlives its session.
class Peer {
 public:
  explicit Peer(std::string folder) : folder_(std::move(folder)) {}

  std::string Do(absl::string_view what) {
    if (what == "connect") return Connect();
    if (what == "receive") return Receive();
    if (what == "borrow") return Borrow();
    if (what == "check") return object_->IsGood() ? "done" : "spoilt";
    if (what == "write") return Write();
    if (what == "lend own") return LendOwn();
    if (what == "status") return ToString(session_->status());
    if (what == "crowd") return LimitDescriptors(true);
    if (what == "uncrowd") return LimitDescriptors(false);
    if (what == "release") object_ = nullptr;
    if (what == "end") End();
    uint64_t address;
    if (absl::ConsumePrefix(&what, "occupy ") && absl::SimpleAtoi(what, &address)) {
      place_ = Reservation::At(address, 4096).value_or(Reservation());
      return place_.valid() ? "done" : "taken";
    }
    return "done";
  }

 private:
  std::string Connect() {
    absl::StatusOr<Session> connected = Kind()->sessions.connect(Options(folder_));
    if (!connected.ok()) return connected.status().ToString();
    session_.emplace(*std::move(connected));
    channel_ = session_->TakeChannel(0);
    return "done";
  }

  // Looks at the ring alone.
  std::string Receive() {
    const absl::StatusOr<shm::LoanRef> received = shm::ReceiveLoan(channel_, TimeLimit());
    if (received.ok()) ref_ = *received;
    return ToString(received.status());
  }

  std::string Borrow() {
    absl::StatusOr<std::shared_ptr<ModelObject>> borrowed = ArenaOf(*session_).BorrowMutable<ModelObject>(ref_);
    if (!borrowed.ok()) return borrowed.status().ToString();
    object_ = *std::move(borrowed);
    return AddressOf(object_.get());
  }

  std::string Write() {
    Random random(1);
    object_->ChangeNumbers(random);
    return "written";
  }

  // Of an arena of its own.
  std::string LendOwn() {
    const absl::StatusOr<OwnArenaKind::Standalone> arena = Kind()->create(kLimit);
    if (!arena.ok()) return arena.status().ToString();
    absl::StatusOr<std::shared_ptr<ModelObject>> object =
        ObjectArena((*arena)->lending).Construct<ModelObject>(7, kObjectBytes);
    if (!object.ok()) return object.status().ToString();
    object_ = *std::move(object);
    SessionArena session_arena = ArenaOf(*session_);
    if (absl::Status shared = session_arena.Share(**arena); !shared.ok()) return shared.ToString();
    absl::StatusOr<shm::Loan> loan = session_arena.Lend(object_);
    if (!loan.ok()) return loan.status().ToString();
    if (absl::Status sent = shm::SendLoan(channel_, *std::move(loan), TimeLimit()); !sent.ok()) return sent.ToString();
    return AddressOf(object_.get());
  }

  // Leaves room for no more descriptors, or makes it again.
  std::string LimitDescriptors(bool none) {
    rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return "no limit";
    limit.rlim_cur = limit.rlim_max;
    if (none) {
      const Fd next(dup(0));  // The lowest number that is free.
      limit.rlim_cur = static_cast<rlim_t>(next.get());
    }
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? "done" : "cannot";
  }

  void End() {
    channel_ = Channel();
    session_.reset();
  }

  const std::string folder_;
  Reservation place_;
  std::optional<Session> session_;
  Channel channel_;
  shm::LoanRef ref_;
  std::shared_ptr<ModelObject> object_;
};

SLUICE_CHILD_ROLE(own_arena_peer) {
  std::signal(SIGSEGV, SIG_DFL);  // Sanitizers would end the process in their own way.
  Peer peer(arguments[0]);
  for (std::string what = HearParent(); !what.empty(); what = HearParent()) TellParent(peer.Do(what));
  return 0;
}

// A client, and the server's side of its session.
class Client {
 public:
  explicit Client(const TempDir& folder) : child_(Child::Start("own_arena_peer", {folder.path()})) {}

  void Connect(const OwnArenaKind::Accept& accept) {
    child_.Tell("connect");
    absl::StatusOr<Session> session = accept(TimeLimit());
    ASSERT_OK(session);
    ASSERT_EQ(child_.Hear(), "done");
    session_.emplace(*std::move(session));
    channel_ = session_->TakeChannel(0);
  }

  std::string Ask(const std::string& what) {
    child_.Tell(what);
    return child_.Hear();
  }

  // Lends it; the client receives the reference, and no more.
  void Send(const std::shared_ptr<ModelObject>& object) {
    ASSERT_OK_AND_ASSIGN(shm::Loan loan, arena().Lend(object));
    ASSERT_OK(shm::SendLoan(channel_, std::move(loan), TimeLimit()));
    ASSERT_EQ(Ask("receive"), "done");
  }

  // The client borrows it where it is.
  void Lend(const std::shared_ptr<ModelObject>& object) {
    Send(object);
    EXPECT_EQ(Ask("borrow"), AddressOf(object.get()));
    EXPECT_EQ(Ask("check"), "done");
  }

  // What the client lent, that should lie at `address`.
  std::shared_ptr<const ModelObject> Borrow(const std::string& address) {
    const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel_, TimeLimit());
    EXPECT_OK(ref);
    if (!ref.ok()) return nullptr;
    absl::StatusOr<std::shared_ptr<const ModelObject>> object = arena().Borrow<ModelObject>(*ref);
    EXPECT_OK(object);
    if (!object.ok()) return nullptr;
    EXPECT_EQ(AddressOf(object->get()), address);
    return *std::move(object);
  }

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
  Channel& channel() { return channel_; }
  SessionArena arena() { return ArenaOf(*session_); }

 private:
  Child child_;
  std::optional<Session> session_;
  Channel channel_;
};

// At addresses that no session takes, and no other of this program: for one that is made before its sessions.
absl::StatusOr<OwnArenaKind::Standalone> MakeAside() {
  static size_t next = AddressWindow::kFirstNamedSlot;
  const size_t bytes = StandaloneArena::RegionBytesFor(kLimit);
  absl::StatusOr<Reservation> place = Reservation::At(AddressWindow::AddressOf(next), bytes);
  if (!place.ok()) return place.status();
  next += AddressWindow::SlotsFor(bytes);
  absl::StatusOr<StandaloneArena> arena =
      StandaloneArena::Create(Kind()->kind(), "sluice-own-arena", kLimit, shm::ArenaOptions(), *std::move(place));
  if (!arena.ok()) return arena.status();
  return std::make_shared<const StandaloneArena>(*std::move(arena));
}

absl::StatusOr<std::shared_ptr<ModelObject>> MakeObject(const StandaloneArena& arena) {
  return ObjectArena(arena.lending).Construct<ModelObject>(1, kObjectBytes);
}

absl::StatusOr<OwnArenaKind::Accept> Listen(const TempDir& folder) {
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session = Options(folder.path());
  return Kind()->listen(options);
}

}  // namespace

int SetOwnArenaKind(const OwnArenaKind& kind) {
  Kind() = kind;
  return 0;
}

TEST_P(OwnArenaConformance, ObjectsAreLentThatWereMadeBeforeItWasSharedAndAfter) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ModelObject> before, MakeObject(*arena));
  EXPECT_THAT(client.arena().Lend(before),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("shared with this session first (Share)")));
  ASSERT_OK(client.arena().Share(*arena));
  ASSERT_OK(client.arena().Share(*arena)) << "once more does nothing";
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ModelObject> after, MakeObject(*arena));
  client.Lend(before);
  client.Lend(after);
  before = nullptr;
  EXPECT_EQ(client.LoansOut(), 1u);
  EXPECT_EQ(ModelObject::living(), 1);
  after = nullptr;
  EXPECT_EQ(client.Ask("release"), "done");
  EXPECT_EQ(client.LoansOut(), 0u);
  EXPECT_EQ(ModelObject::living(), 0);
  EXPECT_EQ(ObjectArena(arena->lending).arena_stats().live_allocations, 0u);
}

TEST_P(OwnArenaConformance, LimitsAreChecked) {
  EXPECT_THAT(GetParam().create(0), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("give it 1 to")));
  EXPECT_THAT(GetParam().create((uint64_t{1} << 37) + 1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(GetParam().create(1));
}

// K5: the owner of the client's is killed, and what it lent can be read on.
TEST_P(OwnArenaConformance, BothSidesShareTheirs) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  const std::string address = client.Ask("lend own");
  const std::shared_ptr<const ModelObject> theirs = client.Borrow(address);
  ASSERT_NE(theirs, nullptr);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto ours, MakeObject(*arena));
  ASSERT_OK(client.arena().Share(*arena));
  client.Lend(ours);
  client.child().Kill();
  EXPECT_TRUE(theirs->IsGood());
  EXPECT_EQ(client.LoansOut(), 0u);
}

// K6: a killed peer's loan is back, a stopped one's is not, and all others read on.
TEST_P(OwnArenaConformance, ManySessionsBorrowOneObjectWhereItIs) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  std::vector<Client> clients;
  clients.emplace_back(folder).Connect(accept);
  ASSERT_OK_AND_ASSIGN(OwnArenaKind::Standalone arena, MakeAside());
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ModelObject> object, MakeObject(*arena));
  clients.emplace_back(folder).Connect(accept);
  clients.emplace_back(folder).Connect(accept);
  for (Client& client : clients) {
    ASSERT_OK(client.arena().Share(*arena));
    client.Lend(object);
    EXPECT_EQ(client.LoansOut(), 1u);
  }
  const std::weak_ptr<::ipc::internal::LendingArena> watched = arena->lending;
  object = nullptr;
  arena = nullptr;
  clients[0].child().Kill();
  EXPECT_EQ(clients[0].LoansOut(), 0u);
  clients[1].child().Stop();
  EXPECT_EQ(clients[1].LoansOut(), 1u);
  EXPECT_EQ(clients[2].Ask("check"), "done");
  EXPECT_EQ(clients[2].Ask("release"), "done");
  EXPECT_EQ(clients[2].LoansOut(), 0u);
  EXPECT_EQ(ModelObject::living(), 1) << "the stopped one has it";
  clients[1].child().Continue();
  EXPECT_EQ(clients[1].Ask("check"), "done");
  EXPECT_EQ(clients[1].Ask("release"), "done");
  EXPECT_EQ(clients[1].LoansOut(), 0u);
  EXPECT_EQ(ModelObject::living(), 0);
  EXPECT_FALSE(watched.expired()) << "sessions share it";
  clients.clear();
  EXPECT_TRUE(watched.expired());
}

// Either side's session goes first, with the object in the peer's hands and no other owner.
TEST_P(OwnArenaConformance, ALoanOutlivesTheSessionAndKeepsTheArena) {
  for (const bool ours_first : {true, false}) {
    const TempDir folder;
    ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
    Client client(folder);
    client.Connect(accept);
    std::weak_ptr<::ipc::internal::LendingArena> watched;
    {
      ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
      watched = arena->lending;
      ASSERT_OK(client.arena().Share(*arena));
      ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arena));
      client.Lend(object);
    }
    if (ours_first) client.EndOwn();
    EXPECT_EQ(client.Ask("end"), "done");
    if (!ours_first) client.EndOwn();
    ::ipc::internal::LendingArena::SweepEnded();
    EXPECT_EQ(client.Ask("check"), "done");
    EXPECT_EQ(ModelObject::living(), 1);
    EXPECT_FALSE(watched.expired());
    EXPECT_EQ(client.Ask("release"), "done");
    ::ipc::internal::LendingArena::SweepEnded();
    EXPECT_EQ(ModelObject::living(), 0);
    EXPECT_TRUE(watched.expired());
  }
}

// The client reads the ring alone before it borrows. H3: a region that nobody announced.
TEST_P(OwnArenaConformance, AReferenceMayOvertakeTheAnnouncement) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arena));
  ASSERT_OK(client.arena().Share(*arena));
  ASSERT_OK_AND_ASSIGN(const shm::Loan unsent, client.arena().Lend(object));
  shm::LoanRef forged = unsent.ref();
  forged.region += 1;
  ASSERT_OK(client.channel().Send(forged.ToBytes(), {}, TimeLimit()));
  EXPECT_EQ(client.Ask("receive"), "done");
  EXPECT_THAT(client.Ask("borrow"), StartsWith("DATA_LOSS: the peer lent an object in region 3, which it has not"));
  client.Lend(object);
  EXPECT_EQ(client.Ask("status"), "done");
}

TEST_P(OwnArenaConformance, APeerWhereTheAddressesAreTakenSaysSo) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  ASSERT_OK_AND_ASSIGN(const auto arena, MakeAside());
  ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arena));
  Client client(folder);
  EXPECT_EQ(client.Ask(absl::StrCat("occupy ", arena->lending->own().region->address())), "done");
  client.Connect(accept);
  ASSERT_OK(client.arena().Share(*arena));
  client.Send(object);
  EXPECT_THAT(client.Ask("borrow"), AllOf(StartsWith("FAILED_PRECONDITION"), HasSubstr("something else lies there")));
  EXPECT_EQ(client.LoansOut(), 0u);
  ASSERT_OK_AND_ASSIGN(const auto other, MakeAside());
  ASSERT_OK_AND_ASSIGN(const auto object_there, MakeObject(*other));
  ASSERT_OK(client.arena().Share(*other));
  client.Lend(object_there);
}

// R2
TEST_P(OwnArenaConformance, APeerWithoutDescriptorsSaysSo) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arena));
  EXPECT_EQ(client.Ask("crowd"), "done");
  ASSERT_OK(client.arena().Share(*arena));
  client.Send(object);
  EXPECT_THAT(client.Ask("borrow"), AllOf(StartsWith("RESOURCE_EXHAUSTED"), HasSubstr("RLIMIT_NOFILE")));
  EXPECT_EQ(client.Ask("uncrowd"), "done");
  EXPECT_EQ(client.LoansOut(), 0u);
  client.Send(object);
  EXPECT_THAT(client.Ask("borrow"), StartsWith("RESOURCE_EXHAUSTED")) << "it does not come again";
  ASSERT_OK_AND_ASSIGN(const auto other, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto object_there, MakeObject(*other));
  ASSERT_OK(client.arena().Share(*other));
  client.Lend(object_there);
}

// D2: what is announced is no region, or another than the frame says, or not writable where peers write.
TEST_P(OwnArenaConformance, AWrongRegionEndsTheSession) {
  const size_t bytes = StandaloneArena::RegionBytesFor(kLimit);
  ASSERT_OK_AND_ASSIGN(const Region larger, Region::Create("test", bytes + 4096, Sharing::kManyWriters));
  ASSERT_OK_AND_ASSIGN(const Region same, Region::Create("test", bytes, Sharing::kManyWriters));
  std::vector<Fd> wrong;
  wrong.emplace_back(dup(0));
  wrong.emplace_back(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(wrong.back().get(), static_cast<off_t>(bytes)), 0);
  wrong.emplace_back(dup(larger.fd().get()));
  if (GetParam().kind().peers_write) {
    ASSERT_OK_AND_ASSIGN(Fd reader, same.OpenReadOnly());
    wrong.push_back(std::move(reader));
  }
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  for (Fd& descriptor : wrong) {
    ASSERT_TRUE(descriptor.valid());
    Client client(folder);
    client.Connect(accept);
    ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
    const StandaloneArena spoilt = {.for_peers = std::move(descriptor), .lending = arena->lending};
    ASSERT_OK(client.arena().Share(spoilt));
    EXPECT_THAT(client.Ask("status"), StartsWith("DATA_LOSS"));
    EXPECT_FALSE(client.session().WaitForEnd(TimeLimit()).ok());
  }
}

TEST_P(OwnArenaConformance, ThereIsALimitOfArenas) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  std::vector<OwnArenaKind::Standalone> arenas;
  for (int i = 0; i < 16; ++i) {
    ASSERT_OK_AND_ASSIGN(arenas.emplace_back(), GetParam().create(uint64_t{1} << 20));
    ASSERT_OK(client.arena().Share(*arenas.back()));
  }
  ASSERT_OK_AND_ASSIGN(const auto more, GetParam().create(uint64_t{1} << 20));
  EXPECT_THAT(client.arena().Share(*more),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("has shared 16 arenas")));
  for (const int i : {0, 15}) {
    ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arenas[i]));
    client.Lend(object);
  }
}

// B3: a stopped peer's socket fills; sharing does not wait, and the arena's objects can be lent once it reads on.
TEST_P(OwnArenaConformance, AFullSocketPutsLendingOff) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arena));
  client.child().Stop();
  std::vector<OpeningChannel> openings;
  for (int i = 0; i < 64; ++i) {
    absl::StatusOr<OpeningChannel> opening = client.session().StartChannel({.metadata = std::string(4096, 'x')});
    ASSERT_OK(opening);
    openings.push_back(*std::move(opening));
  }
  ASSERT_OK(client.arena().Share(*arena));
  EXPECT_THAT(client.arena().Lend(object), StatusIs(absl::StatusCode::kResourceExhausted,
                                                    HasSubstr("the peer does not know of the object's arena")));
  client.child().Continue();
  // Room comes as it reads.
  while (absl::IsResourceExhausted(client.arena().Lend(object).status())) ASSERT_EQ(client.Ask("status"), "done");
  client.Lend(object);
}

// They share one mapping.
TEST_P(OwnArenaConformance, BothEndsMayLieInOneProcess) {
  constexpr int kObjects = 200;
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  absl::StatusOr<Session> client = absl::UnknownError("not yet");
  std::thread connecting([&] { client = Kind()->sessions.connect(Options(folder.path())); });
  absl::StatusOr<Session> session = accept(TimeLimit());
  connecting.join();
  ASSERT_OK(session);
  ASSERT_OK(client);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK(ArenaOf(*session).Share(*arena));
  std::thread borrowing([&] {
    Channel channel = client->TakeChannel(0);
    for (int i = 0; i < kObjects; ++i) {
      const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel, TimeLimit());
      ASSERT_OK(ref);
      const absl::StatusOr<std::shared_ptr<const ModelObject>> object = ArenaOf(*client).Borrow<ModelObject>(*ref);
      ASSERT_OK(object);
      EXPECT_TRUE((*object)->IsGood());
    }
  });
  {
    Channel channel = session->TakeChannel(0);
    SessionArena session_arena = ArenaOf(*session);
    for (int i = 0; i < kObjects; ++i) {
      const absl::StatusOr<std::shared_ptr<ModelObject>> object = MakeObject(*arena);
      EXPECT_OK(object);
      absl::StatusOr<shm::Loan> loan = session_arena.Lend(object.value());
      EXPECT_OK(loan);
      EXPECT_OK(shm::SendLoan(channel, *std::move(loan), TimeLimit()));
      session_arena.Reclaim(10);
    }
    borrowing.join();
    session_arena.Reclaim(kObjects);
    EXPECT_EQ(session_arena.loan_stats(), shm::LoanStats());
  }
  EXPECT_EQ(ModelObject::living(), 0);
}

// P1
TEST_P(OwnArenaConformance, AForkedChildsCopiesHarmNobody) {
#if defined(ABSL_HAVE_THREAD_SANITIZER)
  if (!GetParam().kind().peers_write) {
    GTEST_SKIP() << "jemalloc takes all its locks before a fork, and the thread sanitizer follows 64";
  }
#endif
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  ASSERT_OK_AND_ASSIGN(auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto other, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(auto object, MakeObject(*arena));
  ASSERT_OK(client.arena().Share(*arena));
  client.Lend(object);
  const pid_t child = fork();
  if (child == 0) {
    const bool all_fail = absl::IsFailedPrecondition(MakeObject(*arena).status()) &&
                          absl::IsFailedPrecondition(client.arena().Share(*other)) &&
                          absl::IsFailedPrecondition(client.arena().Lend(object).status());
    object = nullptr;
    arena = nullptr;
    client.EndOwn();
    _exit(all_fail ? 0 : 1);
  }
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(client.LoansOut(), 1u);
  EXPECT_TRUE(object->IsGood());
  client.Lend(object);
}

// H5: peers that may write change the object in place; others hurt themselves alone.
TEST_P(OwnArenaConformance, OnlyWhoMayWriteWrites) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto accept, Listen(folder));
  Client client(folder);
  client.Connect(accept);
  ASSERT_OK_AND_ASSIGN(const auto arena, GetParam().create(kLimit));
  ASSERT_OK_AND_ASSIGN(const auto object, MakeObject(*arena));
  ASSERT_OK(client.arena().Share(*arena));
  client.Lend(object);
  if (GetParam().kind().peers_write) {
    EXPECT_EQ(client.Ask("write"), "written");
    EXPECT_EQ(client.Ask("release"), "done");
  } else {
    EXPECT_EQ(client.Ask("write"), "");
    EXPECT_EQ(client.child().Wait(), -SIGSEGV);
  }
  EXPECT_TRUE(object->IsGood());
  EXPECT_EQ(client.LoansOut(), 0u);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
