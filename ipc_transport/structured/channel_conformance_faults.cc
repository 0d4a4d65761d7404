// The part of the suite in which something goes wrong.

#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/channel_conformance.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ipc::internal::IdentityOf;
using ipc::internal::MessageHeader;
using sluice_test::Letter;
using sluice_test::Parcel;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kBusyCredit = 64;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kDeadlineExceeded = absl::StatusCode::kDeadlineExceeded;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

std::vector<absl::StatusOr<ChannelEnd> (*)(Fd)>& Peers() {
  static auto& peers = *new std::vector<absl::StatusOr<ChannelEnd> (*)(Fd)>();
  return peers;
}

// A peer of the kind that the argument tells. Answers requests until one has the number 0, says so, and waits for its
// end.
SLUICE_CHILD_ROLE(structured_peer) {
  size_t kind;
  if (!absl::SimpleAtoi(arguments[0], &kind)) return 1;
  absl::StatusOr<ChannelEnd> end = Peers()[kind](InheritedFd());
  if (!end.ok()) return 2;
  auto channel = StructuredChannel<Parcel>::Upgrade(std::move(end->channels[0]), end->store);
  while (true) {
    absl::StatusOr<Incoming<Parcel>> request = channel.Receive(TimeLimit());
    if (!request.ok()) return 3;
    const uint64_t number = request->body().getNumber();
    if (number == 0) break;
    if (!request->expects_reply()) continue;
    Message<Parcel> answer = channel.NewMessage();
    Fill(answer.body(), number + 1, 10, number);
    if (!request->Reply(std::move(answer), TimeLimit()).ok()) return 4;
  }
  TellParent("has it");
  HearParent();
  return 0;
}

// Does all that a channel can do, both ways, until the other side ends it.
SLUICE_CHILD_ROLE(busy_structured_peer) {
  size_t kind;
  if (!absl::SimpleAtoi(arguments[0], &kind)) return 1;
  absl::StatusOr<ChannelEnd> end = Peers()[kind](InheritedFd());
  if (!end.ok()) return 2;
  auto channel = StructuredChannel<Parcel>::Upgrade(std::move(end->channels[0]), end->store,
                                                    {.max_waiting_messages = kBusyCredit});
  for (uint64_t round = 0;; ++round) {
    for (const size_t bytes : {10, 20'000}) {
      Message<Parcel> notice = channel.NewMessage();
      Fill(notice.body(), round, 1, bytes);
      if (!channel.Send(std::move(notice), TimeLimit()).ok()) return 0;
      Message<Parcel> question = channel.NewMessage();
      Fill(question.body(), round, 1, bytes);
      if (!channel.Request(std::move(question), TimeLimit()).ok()) return 0;
    }
    absl::StatusOr<Incoming<Parcel>> request = channel.Receive(TimeLimit());
    if (!request.ok()) return 0;
    Message<Parcel> answer = channel.NewMessage();
    Fill(answer.body(), round, 1, 20'000);
    if (!request->Reply(std::move(answer), TimeLimit()).ok()) return 0;
  }
}

struct Peer {
  ChannelEnd end;
  Child child;
};

Peer StartPeer(const ChannelKindUnderTest& kind, const std::string& role = "structured_peer",
               const Child::Options& options = {}) {
  int sockets[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
  Fd theirs(sockets[1]);
  const size_t index = std::find(Peers().begin(), Peers().end(), kind.connect_over) - Peers().begin();
  Child child = Child::Start(role, {absl::StrCat(index)}, {.environment = options.environment, .inherited = theirs});
  theirs.Close();
  absl::StatusOr<ChannelEnd> end = kind.connect_over(Fd(sockets[0]));
  EXPECT_THAT(end, IsOk());
  return {*std::move(end), std::move(child)};
}

TEST_P(ChannelConformance, AnotherProcessAnswers) {
  Peer peer = StartPeer(GetParam());
  ParcelChannel channel = Upgrade(peer.end);
  for (const uint64_t number : {1, 100, 10'000, 500'000}) {
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer,
                         channel.Request(Built(channel, number, 1, number), TimeLimit()));
    EXPECT_TRUE(IsFilled(answer.body(), number + 1, 10, number));
  }
}

TEST_P(ChannelConformance, AKillEndsARequest) {
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    Peer peer = StartPeer(GetParam());
    ParcelChannel channel = Upgrade(peer.end);
    channel.set_wait_mode(mode);
    ASSERT_OK(channel.Request(Built(channel, 5, 1, 50'000), TimeLimit()));
    std::thread killer([&peer] {
      EXPECT_EQ(peer.child.Hear(), "has it");
      peer.child.Kill();
    });
    EXPECT_THAT(channel.Request(Built(channel, 0, 1, 50'000), Deadline::Never()), StatusIs(kUnavailable));
    killer.join();
    EXPECT_THAT(channel.Receive(TimeLimit()), StatusIs(kUnavailable));
    EXPECT_THAT(channel.Send(Built(channel, 1, 1, 50'000), TimeLimit()), StatusIs(kUnavailable));
    EXPECT_THAT(channel.Request(Built(channel, 1, 1, 50'000), TimeLimit()), StatusIs(kUnavailable));
  }
}

// B1, B3, B4: a peer that does nothing holds nobody up beyond the deadline, and costs no more than its credit.
TEST_P(ChannelConformance, AStoppedPeerIsWaitedForUntilTheDeadlineOnly) {
  Peer peer = StartPeer(GetParam());
  ParcelChannel channel = Upgrade(peer.end);
  ASSERT_OK(channel.Request(Built(channel, 1), TimeLimit()));
  peer.child.Stop();
  EXPECT_THAT(channel.Request(Built(channel, 2, 1, 20'000), absl::Milliseconds(20)), StatusIs(kDeadlineExceeded));
  absl::Status sent;
  size_t messages = 0;
  for (; sent.ok(); ++messages) sent = channel.Send(Built(channel, 3), absl::Milliseconds(20));
  EXPECT_THAT(sent, StatusIs(kDeadlineExceeded));
  EXPECT_LE(messages, StructuredChannelOptions().max_waiting_messages + 1);
  peer.child.Continue();
  ASSERT_OK(channel.Request(Built(channel, 4), TimeLimit()));
  peer.child.Stop();
  channel.Close();  // Does not wait.
  peer.child.Continue();
}

// What this side has of a session is its own again, however far the peer came: the first time, and amid the traffic.
TEST_P(ChannelConformance, AKillAtAnyPointIsNoticedAndLeavesNothing) {
  struct Death {
    std::string point;
    int arrival;
    bool may_be_missed;  // By kinds without a store, or with long records.
  };
  const Death deaths[] = {{"structured.lent", 1, true},          {"structured.lent", 40, true},
                          {"structured.fragment.sent", 1, true}, {"structured.fragment.sent", 40, true},
                          {"structured.sent", 1, false},         {"structured.sent", 40, false},
                          {"structured.received", 1, false},     {"structured.received", 40, false},
                          {"structured.told", 1, false},         {"structured.told", 3, false}};
  for (const auto& [point, arrival, may_be_missed] : deaths) {
    SCOPED_TRACE(absl::StrCat(point, ", arrival ", arrival));
    const World before = World::Now();
    bool was_reached = true;
    {
      Peer peer = StartPeer(GetParam(), "busy_structured_peer",
                            {.environment = {OsEnvironment({KillAt(point, {.first = arrival})})}, .inherited = {}});
      ParcelChannel channel = Upgrade(peer.end);
      absl::Status end;
      for (int rounds = 0; end.ok() && was_reached; ++rounds) {
        std::vector<Incoming<Parcel>> requests;
        for (int messages = 0; end.ok() && messages < 4; ++messages) {
          absl::StatusOr<Incoming<Parcel>> incoming = channel.Receive(TimeLimit());
          end = incoming.status();
          if (end.ok() && incoming->expects_reply()) end = incoming->Reply(Built(channel, 1, 1, 20'000), TimeLimit());
        }
        if (end.ok()) end = channel.Request(Built(channel, 1, 1, 20'000), TimeLimit()).status();
        was_reached = rounds < 3 * static_cast<int>(kBusyCredit);
      }
      if (was_reached) {
        EXPECT_THAT(end, StatusIs(kUnavailable));
        EXPECT_EQ(peer.child.Wait(), -SIGKILL);
      } else {
        channel.Close();
        EXPECT_EQ(peer.child.Wait(), 0);
      }
    }
    World now = World::Now();
    now.threads = before.threads;
    EXPECT_EQ(now, before);
    EXPECT_TRUE(was_reached || may_be_missed);
  }
}

TEST_P(ChannelConformance, APeerThatClosesIsHeardOut) {
  auto [a, b] = Both();
  for (uint64_t i = 0; i < 2; ++i) ASSERT_OK(a.Send(Built(a, i, 1, 100), TimeLimit()));
  a.Close();
  a.Close();
  EXPECT_THAT(a.Send(Built(a, 1), TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(a.Receive(TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
  for (uint64_t i = 0; i < 2; ++i) ExpectParcel(b, i, 1, 100);
  const absl::Status end = b.Receive(TimeLimit()).status();
  EXPECT_THAT(end, StatusIs(kUnavailable));
  EXPECT_EQ(ReasonOf(end), Reason::kGoodbye);
  EXPECT_THAT(b.Request(Built(b, 1, 1, 10'000), TimeLimit()), StatusIs(kUnavailable));
}

TEST_P(ChannelConformance, APeerThatClosesEndsARequest) {
  auto [a, b] = Both();
  std::thread peer([&b = b] {
    EXPECT_THAT(b.Receive(TimeLimit()), IsOk());
    b.Close();
  });
  EXPECT_THAT(a.Request(Built(a, 1, 1, 10'000), TimeLimit()), StatusIs(kUnavailable));
  peer.join();
}

TEST_P(ChannelConformance, TheEndOfWhatThePeerSends) {
  ParcelChannel a = Mine();
  ASSERT_OK(theirs_.channels[0].FinishSending());
  EXPECT_THAT(a.Receive(TimeLimit()), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(a.Request(Built(a, 1), TimeLimit()), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(ChannelConformance, TwoTypesAreNamedOnBothSides) {
  ParcelChannel parcels = Mine();
  auto letters = StructuredChannel<Letter>::Upgrade(std::move(theirs_.channels[0]), theirs_.store);
  const auto names_both = StatusIs(absl::StatusCode::kFailedPrecondition,
                                   AllOf(HasSubstr("parcel.capnp:Parcel"), HasSubstr("parcel.capnp:Letter")));
  EXPECT_THAT(parcels.Request(Built(parcels, 1, 1, 10'000), TimeLimit()), names_both);
  EXPECT_THAT(letters.Send(letters.NewMessage(), TimeLimit()), names_both);
  EXPECT_THAT(letters.Receive(TimeLimit()), names_both);
  EXPECT_THAT(parcels.Send(Built(parcels, 1, 1, 10'000), TimeLimit()), names_both);
}

// Expects that a peer's `record` ends the channel for good.
void ExpectDataLoss(StructuredChannel<Parcel>& channel, Channel& peer, const Bytes& record) {
  ASSERT_THAT(peer.Send(record, {}, TimeLimit()), IsOk());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(channel.Receive(TimeLimit()), StatusIs(kDataLoss));
  EXPECT_THAT(channel.Send(channel.NewMessage(), TimeLimit()), StatusIs(kDataLoss));
  Bytes buffer(peer.max_message_bytes());
  ASSERT_THAT(peer.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOk()) << "the schema";
  EXPECT_THAT(peer.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), StatusIs(kUnavailable));
}

Bytes ParcelSchema() { return Join(HonestSchema(IdentityOf<Parcel>()), IdentityOf<Parcel>().name); }

// M2, M3, M5
TEST_P(ChannelConformance, HostileRecordsEndTheChannel) {
  MessageHeader too_long = HonestMessage(1);
  too_long.segments = 1;
  MessageHeader unknown_answer = HonestMessage(1);
  unknown_answer.in_reply_to = 1;
  const std::vector<Bytes> records = {
      {},
      Bytes(8),
      Bytes(200, std::byte{0xff}),
      Join(HonestMessage(1)),
      Join(HonestMessage(1), kNullRoot, kNullRoot),
      Join(HonestMessage(0), kNullRoot),
      Join(too_long, ~uint64_t{0}, kNullRoot),
      Join(HonestMessage(1), ~uint64_t{0}),  // An unreadable root.
      Join(unknown_answer, kNullRoot),
      ParcelSchema(),  // Said twice.
  };
  for (const Bytes& record : records) {
    auto ends = GetParam().connect();
    ASSERT_OK(ends);
    ParcelChannel channel = Upgrade(ends->first);
    ASSERT_OK(ends->second.channels[0].Send(ParcelSchema()));
    ExpectDataLoss(channel, ends->second.channels[0], record);
  }
  ParcelChannel channel = Mine();
  ExpectDataLoss(channel, theirs_.channels[0], Join(HonestMessage(1), kNullRoot));  // No schema before.
}

// What a peer lends: a message of one stored segment, behind a root that is null.
struct Lent {
  std::unique_ptr<StoredSegments> stored;
  LoanHandle loan;

  Bytes Record(uint64_t id, const SegmentAddress& address) const {
    MessageHeader header = HonestMessage(id);
    header.flags = ipc::internal::kStoredFlag;
    header.segments = 1;
    return Join(header, loan, address, kNullRoot);
  }
};

Lent LendOf(MessageStore& store) {
  Lent lent;
  absl::StatusOr<absl::Span<std::byte>> segment = store.Allocate(100'000);
  EXPECT_THAT(segment, IsOk());
  const size_t used = 80'000;
  auto stored = store.Publish(absl::MakeConstSpan(&*segment, 1), absl::MakeConstSpan(&used, 1));
  EXPECT_THAT(stored, IsOk());
  lent.stored = *std::move(stored);
  const absl::StatusOr<LoanHandle> loan = lent.stored->Lend();
  EXPECT_THAT(loan, IsOk());
  lent.loan = *loan;
  return lent;
}

// H3
TEST_P(ChannelConformance, ForgedAddressesAreRefusedAndTheLoanComesBack) {
  if (mine_.store == nullptr) GTEST_SKIP() << "has no store";
  const std::vector<std::pair<std::string, void (*)(SegmentAddress&)>> forgeries = {
      {"no such region", [](SegmentAddress& address) { address.region = 77; }},
      {"the largest region", [](SegmentAddress& address) { address.region = ~0u; }},
      {"offset 2^63", [](SegmentAddress& address) { address.offset = uint64_t{1} << 63; }},
      {"the last offset", [](SegmentAddress& address) { address.offset = ~uint64_t{7}; }},
      {"misaligned", [](SegmentAddress& address) { address.offset += 1; }},
      {"no whole words", [](SegmentAddress& address) { address.bytes -= 1; }},
      {"bytes 2^63", [](SegmentAddress& address) { address.bytes = uint64_t{1} << 63; }},
      {"an end that wraps", [](SegmentAddress& address) { address.bytes = ~uint64_t{7}; }},
  };
  for (const auto& [what, forge] : forgeries) {
    SCOPED_TRACE(what);
    auto ends = GetParam().connect();
    ASSERT_OK(ends);
    const std::string before = UsageOf(ends->second);
    {
      ParcelChannel channel = Upgrade(ends->first);
      ASSERT_OK(ends->second.channels[0].Send(ParcelSchema()));
      const Lent lent = LendOf(*ends->second.store);
      SegmentAddress address = lent.stored->addresses()[0];
      forge(address);
      ExpectDataLoss(channel, ends->second.channels[0], lent.Record(1, address));
    }
    EXPECT_EQ(UsageOf(ends->second), before);
  }
}

TEST_P(ChannelConformance, ALoanOfNoSlotIsRefused) {
  if (mine_.store == nullptr) GTEST_SKIP() << "has no store";
  ParcelChannel channel = Mine();
  Channel& peer = theirs_.channels[0];
  ASSERT_OK(peer.Send(ParcelSchema()));
  Lent lent = LendOf(*theirs_.store);
  const SegmentAddress address = lent.stored->addresses()[0];
  ASSERT_OK(peer.Send(lent.Record(1, address)));
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, channel.Receive(TimeLimit()));
  EXPECT_TRUE(IsFilled(incoming.body(), 0));
  lent.loan.slot = ~0u;
  ExpectDataLoss(channel, peer, lent.Record(2, address));
}

TEST_P(ChannelConformance, AMessageOfAnotherStoreIsCopied) {
  auto others = GetParam().connect();
  ASSERT_OK(others);
  const std::string before = UsageOf(others->first);
  {
    ParcelChannel other = Upgrade(others->first);
    auto [a, b] = Both();
    absl::StatusOr<FrozenMessage<Parcel>> frozen = Built(other, 1, 2, 50'000).Freeze();
    ASSERT_OK(frozen);
    std::thread receiver([&, &b = b] {
      ExpectParcel(b, 7, 1, 100);
      for (int i = 0; i < 3; ++i) ExpectParcel(b, 1, 2, 50'000);
    });
    ASSERT_OK(a.Send(Built(other, 7, 1, 100), TimeLimit()));
    for (int i = 0; i < 2; ++i) ASSERT_OK(a.Send(*frozen, TimeLimit()));
    ASSERT_OK(a.Send(Built(other, 1, 2, 50'000), TimeLimit()));
    EXPECT_TRUE(IsFilled(frozen->body(), 1, 2, 50'000));
    receiver.join();
  }
  EXPECT_EQ(UsageOf(others->first), before);
}

TEST_P(ChannelConformance, AnExhaustedStoreIsReportedAndLosesNothing) {
  const size_t bytes = GetParam().more_than_store_bytes;
  if (bytes == 0) GTEST_SKIP() << "its store has no end";
  auto [a, b] = Both();
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(a.Send(Built(a, 1, 1, 50'000), TimeLimit()));
    Message<Parcel> message = Built(a, 2, 100, bytes / 100);
    // Building never fails.
    EXPECT_TRUE(IsFilled(message.body().asReader(), 2, 100, bytes / 100));
    EXPECT_THAT(message.status(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bytes")));
    const absl::Status sent = a.Send(std::move(message), TimeLimit());
    EXPECT_THAT(sent, StatusIs(absl::StatusCode::kResourceExhausted, ::testing::ContainsRegex("[0-9]+ bytes")));
    EXPECT_THAT(Built(a, 2, 100, bytes / 100).Freeze(), StatusIs(absl::StatusCode::kResourceExhausted));
    // What was there is there still, and there is room again.
    ExpectParcel(b, 1, 1, 50'000);
    ASSERT_OK(a.Send(Built(a, 3, 1, 50'000), TimeLimit()));
    ExpectParcel(b, 3, 1, 50'000);
  }
}

}  // namespace

int RegisterPeer(absl::StatusOr<ChannelEnd> (*connect_over)(Fd socket)) {
  Peers().push_back(connect_over);
  return static_cast<int>(Peers().size());
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
