#include "ipc_transport/structured/channel_conformance.h"

#include <fcntl.h>
#include <kj/exception.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/deadline.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kDeadlineExceeded = absl::StatusCode::kDeadlineExceeded;

// From what lies in one record to what takes many segments: parts, and bytes of each.
constexpr std::pair<size_t, size_t> kSizes[] = {
    {0, 0},      {1, 1},       {1, 7},        {1, 8},        {1, 900},    {1, 968},        {1, 976},
    {1, 984},    {1, 1024},    {3, 500},      {1, 4096},     {2, 65'000}, {1, 65'536 - 8}, {1, 65'536},
    {1, 70'000}, {1, 262'144}, {50, 100'000}, {300, 10'000}, {2'000, 8},  {60, 300'000},   {1, 20'000'000},
};

// The inode tells one pipe(2) from another.
ino_t InodeOf(FdView fd) {
  struct stat info = {};
  EXPECT_EQ(fstat(fd.get(), &info), 0);
  return info.st_ino;
}

Fd NewFile() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[1]);
  return Fd(ends[0]);
}

TEST_P(ChannelConformance, KeepsOrder) {
  auto [a, b] = Both();
  const auto bytes_of = [](uint64_t i) { return i % 7 == 0 ? 3'000 : i % 50; };
  std::thread sender([&, &a = a] {
    for (uint64_t i = 0; i < 300; ++i) ASSERT_THAT(a.Send(Built(a, i, 1, bytes_of(i)), TimeLimit()), IsOk());
  });
  for (uint64_t i = 0; i < 300; ++i) ExpectParcel(b, i, 1, bytes_of(i));
  sender.join();
}

TEST_P(ChannelConformance, CarriesEverySize) {
  auto [a, b] = Both();
  std::thread sender([&a = a] {
    for (const auto& [parts, bytes] : kSizes) {
      ASSERT_THAT(a.Send(Built(a, bytes, parts, bytes), TimeLimit()), IsOk());
      Message<Parcel> on_heap;
      Fill(on_heap.body(), bytes, parts, bytes);
      ASSERT_THAT(a.Send(std::move(on_heap), TimeLimit()), IsOk());
    }
  });
  for (const auto& [parts, bytes] : kSizes) {
    ExpectParcel(b, bytes, parts, bytes);
    ExpectParcel(b, bytes, parts, bytes);
  }
  sender.join();
}

// S15, H2: nothing of an untrusted peer is read where the peer could change it, so its loans are back at once.
TEST_P(ChannelConformance, WhatAnUntrustedPeerLendsIsCopied) {
  ParcelChannel a = Mine();
  auto b = ParcelChannel::Upgrade(std::move(theirs_.channels[0]), theirs_.store, {.trust = Trust::kUntrusted});
  for (const auto& [parts, bytes] : kSizes) {
    const std::string before = UsageOf(mine_);
    std::thread sender(
        [&, parts = parts, bytes = bytes] { ASSERT_THAT(a.Send(Built(a, bytes, parts, bytes), TimeLimit()), IsOk()); });
    absl::StatusOr<Incoming<Parcel>> incoming = b.Receive(TimeLimit());
    sender.join();
    ASSERT_OK(incoming);
    EXPECT_EQ(UsageOf(mine_), before);
    EXPECT_TRUE(IsFilled(incoming->body(), bytes, parts, bytes));
  }
}

// A message that is read again and again, as one that unfolds would be.
TEST_P(ChannelConformance, AnUntrustedPeersMessageIsReadWithinLimits) {
  ParcelChannel a = Mine();
  auto b = ParcelChannel::Upgrade(std::move(theirs_.channels[0]), theirs_.store, {.trust = Trust::kUntrusted});
  ASSERT_OK(a.Send(Built(a, 1, 1, 100), TimeLimit()));
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> incoming, b.Receive(TimeLimit()));
  const auto read_for_ever = [&] {
    for (int i = 0; i < 1'000'000; ++i) incoming.body().getParts()[0].size();
  };
  EXPECT_THROW(read_for_ever(), kj::Exception);
}

TEST_P(ChannelConformance, CarriesAMessageThatNobodyBuilt) {
  auto [a, b] = Both();
  ASSERT_OK(a.Send(a.NewMessage(), TimeLimit()));
  ExpectParcel(b, 0);
}

TEST_P(ChannelConformance, GoesBothWaysAtOnce) {
  auto [a, b] = Both();
  const auto send = [](ParcelChannel& channel) {
    for (uint64_t i = 0; i < 50; ++i) ASSERT_THAT(channel.Send(Built(channel, i, 2, 20'000), TimeLimit()), IsOk());
  };
  std::thread a_sender([&, &a = a] { send(a); });
  std::thread b_sender([&, &b = b] { send(b); });
  std::thread b_receiver([&b = b] {
    for (uint64_t i = 0; i < 50; ++i) ExpectParcel(b, i, 2, 20'000);
  });
  for (uint64_t i = 0; i < 50; ++i) ExpectParcel(a, i, 2, 20'000);
  a_sender.join();
  b_sender.join();
  b_receiver.join();
}

TEST_P(ChannelConformance, KeepsWhatIsHeldWhileMoreComes) {
  auto [a, b] = Both();
  std::thread sender([&a = a] {
    for (uint64_t i = 0; i < 20; ++i) ASSERT_THAT(a.Send(Built(a, i, 1, i * 5'000), TimeLimit()), IsOk());
  });
  std::vector<Incoming<Parcel>> held;
  for (uint64_t i = 0; i < 20; ++i) {
    absl::StatusOr<Incoming<Parcel>> incoming = b.Receive(TimeLimit());
    ASSERT_OK(incoming);
    held.push_back(*std::move(incoming));
  }
  sender.join();
  a.Close();
  b.Close();
  for (uint64_t i = 0; i < 20; ++i) EXPECT_TRUE(IsFilled(held[i].body(), i, 1, i * 5'000));
}

TEST_P(ChannelConformance, RequestsAreAnswered) {
  auto [a, b] = Both();
  std::thread server([&b = b] { Serve(b, std::size(kSizes)); });
  for (const auto& [parts, bytes] : kSizes) {
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, a.Request(Built(a, 5, parts, bytes), TimeLimit()));
    EXPECT_TRUE(IsFilled(answer.body(), 6, parts, bytes));
    EXPECT_FALSE(answer.expects_reply());
  }
  server.join();
}

TEST_P(ChannelConformance, EveryThreadGetsItsOwnAnswer) {
  auto [a, b] = Both();
  std::thread server([&b = b] { Serve(b, 200); });
  std::vector<std::thread> clients;
  for (uint64_t client = 1; client <= 2; ++client) {
    clients.emplace_back([&a = a, client] {
      for (uint64_t i = 0; i < 100; ++i) {
        const absl::StatusOr<Incoming<Parcel>> answer = a.Request(Built(a, client * 1000 + i, 1, i * 20), TimeLimit());
        ASSERT_THAT(answer, IsOk());
        EXPECT_TRUE(IsFilled(answer->body(), client * 1000 + i + 1, 1, i * 20));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  server.join();
}

TEST_P(ChannelConformance, WhatComesBeforeTheAnswerIsKeptInOrder) {
  auto [a, b] = Both();
  std::thread server([&b = b] {
    absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
    ASSERT_THAT(request, IsOk());
    for (uint64_t i = 0; i < 5; ++i) ASSERT_THAT(b.Send(Built(b, i, 1, i * 4'000), TimeLimit()), IsOk());
    ASSERT_THAT(request->Reply(Built(b, 100), TimeLimit()), IsOk());
    ASSERT_THAT(b.Send(Built(b, 5, 1, 20'000), TimeLimit()), IsOk());
  });
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, a.Request(Built(a, 99), TimeLimit()));
  EXPECT_TRUE(IsFilled(answer.body(), 100));
  for (uint64_t i = 0; i < 6; ++i) ExpectParcel(a, i, 1, i * 4'000);
  server.join();
}

TEST_P(ChannelConformance, ALateAnswerIsDropped) {
  auto [a, b] = Both();
  EXPECT_THAT(a.Request(Built(a, 1, 1, 2'000), Deadline(absl::Milliseconds(1))),
              StatusIs(kDeadlineExceeded, HasSubstr("answer")));
  ASSERT_OK_AND_ASSIGN(Incoming<Parcel> request, b.Receive(TimeLimit()));
  std::thread server([&, &b = b] {
    ASSERT_THAT(request.Reply(Built(b, 2, 1, 50'000), TimeLimit()), IsOk());
    Serve(b, 1);
  });
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, a.Request(Built(a, 10), TimeLimit()));
  EXPECT_TRUE(IsFilled(answer.body(), 11));
  server.join();
  EXPECT_THAT(a.Receive(Deadline::Passed()), StatusIs(kDeadlineExceeded));
}

TEST_P(ChannelConformance, ARequestIsAnsweredOnce) {
  auto [a, b] = Both();
  std::thread server([&b = b] {
    absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
    ASSERT_THAT(request, IsOk());
    EXPECT_TRUE(request->expects_reply());
    // One that fails may be tried again.
    Message<Parcel> moved_from = Built(b, 1);
    const Message<Parcel> message = std::move(moved_from);
    EXPECT_THAT(request->Reply(std::move(moved_from), TimeLimit()), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(request->Reply(Built(b, 2, 1, 10'000), TimeLimit()), IsOk());
    EXPECT_THAT(request->Reply(Built(b, 3, 1, 10'000), TimeLimit()),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("answered already")));
    absl::StatusOr<Incoming<Parcel>> plain = b.Receive(TimeLimit());
    ASSERT_THAT(plain, IsOk());
    EXPECT_FALSE(plain->expects_reply());
    EXPECT_THAT(plain->Reply(Built(b, 4)), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not a request")));
  });
  ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, a.Request(Built(a, 0), TimeLimit()));
  EXPECT_TRUE(IsFilled(answer.body(), 2, 1, 10'000));
  ASSERT_OK(a.Send(Built(a, 5), TimeLimit()));
  server.join();
}

TEST_P(ChannelConformance, AFrozenMessageAnswersManyRequests) {
  auto [a, b] = Both();
  std::thread server([&b = b] {
    absl::StatusOr<FrozenMessage<Parcel>> answer = Built(b, 8, 10, 20'000).Freeze();
    ASSERT_THAT(answer, IsOk());
    for (int i = 0; i < 20; ++i) {
      absl::StatusOr<Incoming<Parcel>> request = b.Receive(TimeLimit());
      ASSERT_THAT(request, IsOk());
      ASSERT_THAT(request->Reply(*answer, TimeLimit()), IsOk());
    }
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(const Incoming<Parcel> answer, a.Request(Built(a, 1), TimeLimit()));
    EXPECT_TRUE(IsFilled(answer.body(), 8, 10, 20'000));
  }
  server.join();
}

TEST_P(ChannelConformance, AFrozenMessageGoesToSeveralChannelsFromSeveralThreads) {
  ParcelChannel mine[] = {Mine(0), Mine(1)};
  ParcelChannel theirs[] = {Theirs(0), Theirs(1)};
  absl::StatusOr<FrozenMessage<Parcel>> frozen = Built(mine[0], 8, 3, 60'000).Freeze();
  ASSERT_OK(frozen);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&channel = mine[i], copy = *frozen] {
      for (int round = 0; round < 20; ++round) ASSERT_THAT(channel.Send(copy, TimeLimit()), IsOk());
    });
    threads.emplace_back([&channel = theirs[i]] {
      for (int round = 0; round < 20; ++round) ExpectParcel(channel, 8, 3, 60'000);
    });
  }
  EXPECT_TRUE(IsFilled(frozen->body(), 8, 3, 60'000));
  frozen = absl::CancelledError("the threads' copies are the last ones");
  for (std::thread& thread : threads) thread.join();
}

TEST_P(ChannelConformance, DeadlinesHold) {
  auto [a, b] = Both();
  for (const WaitMode mode : {WaitMode::kAdaptive, WaitMode::kSpin, WaitMode::kSleep}) {
    a.set_wait_mode(mode);
    for (const absl::Duration timeout : {-absl::Seconds(1), absl::ZeroDuration(), absl::Milliseconds(1)}) {
      EXPECT_THAT(a.Receive(timeout), StatusIs(kDeadlineExceeded));
      EXPECT_THAT(a.Request(Built(a, 1), timeout), StatusIs(kDeadlineExceeded));
    }
  }
  // A passed deadline still takes what is there.
  ASSERT_OK_AND_ASSIGN(Incoming<Parcel> request, b.Receive(Deadline::Passed()));
  ASSERT_OK(request.Reply(Built(b, 2), Deadline::Passed()));
  ASSERT_OK(b.Send(Built(b, 3), Deadline::Passed()));
  EXPECT_THAT(a.Receive(Deadline::Passed()), IsOk());
}

TEST_P(ChannelConformance, AFullPipeIsReportedAndLosesNothing) {
  auto [a, b] = Both();
  uint64_t sent = 0;
  absl::Status status;
  for (; status.ok(); sent += status.ok()) status = a.Send(Built(a, sent, 1, 900), Deadline::Passed());
  EXPECT_THAT(status, StatusIs(kDeadlineExceeded));
  for (uint64_t i = 0; i < sent; ++i) ExpectParcel(b, i, 1, 900);
  std::thread sender([&a = a] { EXPECT_THAT(a.Send(Built(a, 77, 1, 900), TimeLimit()), IsOk()); });
  ExpectParcel(b, 77, 1, 900);
  sender.join();
}

// Without a store a part of it is in the pipe already.
TEST_P(ChannelConformance, ALargeMessageThatIsGivenUpDisturbsNoOther) {
  auto [a, b] = Both();
  const absl::Status sent = a.Send(Built(a, 1, 1, 5'000'000), Deadline::Passed());
  EXPECT_THAT(sent, mine_.store != nullptr ? ::testing::Matcher<absl::Status>(IsOk()) : StatusIs(kDeadlineExceeded));
  std::thread sender([&a = a] { EXPECT_THAT(a.Send(Built(a, 2, 1, 100'000), TimeLimit()), IsOk()); });
  if (sent.ok()) ExpectParcel(b, 1, 1, 5'000'000);
  ExpectParcel(b, 2, 1, 100'000);
  sender.join();
}

TEST_P(ChannelConformance, CarriesDescriptors) {
  auto [a, b] = Both();
  for (const size_t bytes : {10, 200'000}) {
    for (const size_t count : {0, 1, 16}) {
      Message<Parcel> message = Built(a, count, 1, bytes);
      std::vector<ino_t> inodes;
      for (size_t i = 0; i < count; ++i) {
        Fd file = NewFile();
        inodes.push_back(InodeOf(file));
        ASSERT_OK(message.AttachDescriptor(std::move(file)));
      }
      std::thread sender([&, &a = a] { EXPECT_THAT(a.Send(std::move(message), TimeLimit()), IsOk()); });
      absl::StatusOr<Incoming<Parcel>> incoming = b.Receive(TimeLimit());
      sender.join();
      ASSERT_OK(incoming);
      EXPECT_TRUE(IsFilled(incoming->body(), count, 1, bytes));
      std::vector<ino_t> received;
      for (const Fd& fd : incoming->descriptors()) received.push_back(InodeOf(fd));
      EXPECT_EQ(received, inodes);
    }
  }
}

TEST_P(ChannelConformance, RefusesTheSeventeenthDescriptorAndGoesOn) {
  auto [a, b] = Both();
  Message<Parcel> message = Built(a, 1);
  for (int i = 0; i < 16; ++i) ASSERT_OK(message.AttachDescriptor(NewFile()));
  EXPECT_THAT(message.AttachDescriptor(NewFile()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("16")));
  ASSERT_OK(a.Send(std::move(message), TimeLimit()));
  absl::StatusOr<Incoming<Parcel>> incoming = b.Receive(TimeLimit());
  ASSERT_OK(incoming);
  EXPECT_EQ(incoming->descriptors().size(), 16u);
}

TEST_P(ChannelConformance, MessagesThatAreNeverSentLeaveNothing) {
  ParcelChannel a = Mine();
  const Message<Parcel> built = Built(a, 1, 10, 50'000);
  absl::StatusOr<FrozenMessage<Parcel>> frozen = Built(a, 2, 10, 50'000).Freeze();
  ASSERT_OK(frozen);
  EXPECT_TRUE(IsFilled(frozen->body(), 2, 10, 50'000));
}

TEST_P(ChannelConformance, WhatIsNotReceivedLeavesNothing) {
  for (size_t i = 0; i < 2; ++i) {
    ParcelChannel a = Mine(i);
    std::optional<ParcelChannel> b = Theirs(i);
    // As much as there is room for.
    while (a.Send(Built(a, 1, 1, 10'000), Deadline::Passed()).ok()) {
    }
    if (i == 0) {
      // What a request has filed.
      EXPECT_FALSE(b->Request(Built(*b, 1), Deadline::Passed()).ok());
    }
    b.reset();
    // A message queue still takes what it has room for; small messages are not lent.
    absl::Status end;
    while (end.ok()) end = a.Send(Built(a, 1), TimeLimit());
    EXPECT_THAT(end, StatusIs(absl::StatusCode::kUnavailable));
  }
}

}  // namespace

void ChannelConformance::SetUp() {
  world_ = World::Now();
  auto ends = GetParam().connect();
  ASSERT_OK(ends);
  mine_ = std::move(ends->first);
  theirs_ = std::move(ends->second);
  usage_[0] = UsageOf(mine_);
  usage_[1] = UsageOf(theirs_);
}

void ChannelConformance::TearDown() {
  EXPECT_EQ(UsageOf(mine_), usage_[0]);
  EXPECT_EQ(UsageOf(theirs_), usage_[1]);
  for (ChannelEnd* const end : {&mine_, &theirs_}) {
    // Not by an assignment: the order matters.
    const ChannelEnd destroyed = std::move(*end);
  }
  World now = World::Now();
  now.threads = world_.threads;  // The kernel shows a thread for a moment after it was joined.
  EXPECT_EQ(now, world_);
}

Message<sluice_test::Parcel> ChannelConformance::Built(ParcelChannel& channel, uint64_t number, size_t parts,
                                                       size_t bytes) {
  Message<Parcel> message = channel.NewMessage();
  Fill(message.body(), number, parts, bytes);
  return message;
}

void ChannelConformance::ExpectParcel(ParcelChannel& channel, uint64_t number, size_t parts, size_t bytes) {
  const absl::StatusOr<Incoming<Parcel>> incoming = channel.Receive(TimeLimit());
  ASSERT_THAT(incoming, IsOk()) << "instead of parcel " << number;
  EXPECT_TRUE(IsFilled(incoming->body(), number, parts, bytes));
}

void ChannelConformance::Serve(ParcelChannel& channel, int requests) {
  for (int i = 0; i < requests; ++i) {
    absl::StatusOr<Incoming<Parcel>> request = channel.Receive(TimeLimit());
    ASSERT_THAT(request, IsOk());
    const auto parts = request->body().getParts();
    ASSERT_THAT(request->Reply(Built(channel, request->body().getNumber() + 1, parts.size(),
                                     parts.size() == 0 ? 0 : parts[0].size()),
                               TimeLimit()),
                IsOk());
  }
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
