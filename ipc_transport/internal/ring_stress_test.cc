// Ring pipes under load that is different each time: SLUICE_STRESS_SEED repeats it, SLUICE_STRESS_SECONDS prolongs it.

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/ring_parts.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/testing/lane_pair.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using Random = std::minstd_rand;

constexpr uint32_t kMessages = 1000;
constexpr size_t kRingBytes[] = {4096, 8192, 65536};
// Spinners keep each other from running where there are fewer cores.
constexpr WaitMode kWaitModes[] = {WaitMode::kAdaptive, WaitMode::kAdaptive, WaitMode::kSleep,
                                   WaitMode::kSleep,    WaitMode::kSleep,    WaitMode::kSpin};

template <typename T, size_t n>
T Pick(const T (&of)[n], Random& random) {
  return of[random() % n];
}

absl::Duration TestDuration() {
  const char* const seconds = std::getenv("SLUICE_STRESS_SECONDS");
  return seconds == nullptr ? absl::Milliseconds(600) : absl::Seconds(std::atoi(seconds));
}

// Of this run; printed, so that it can be repeated.
uint32_t Seed() {
  static const uint32_t seed = [] {
    const char* const given = std::getenv("SLUICE_STRESS_SEED");
    const uint32_t chosen = given == nullptr ? std::random_device()() : static_cast<uint32_t>(std::atoll(given));
    std::cout << "SLUICE_STRESS_SEED=" << chosen << std::endl;
    return chosen;
  }();
  return seed;
}

// The `number`th message of a stream: small as a rule, now and then of any size up to `max_bytes`.
std::vector<std::byte> MakeMessage(uint32_t stream, uint32_t number, size_t max_bytes) {
  Random random(stream * 2654435761u + number);
  random.discard(3);  // The first ones tell of the seed.
  const size_t limit = random() % 8 == 0 ? max_bytes : std::min<size_t>(max_bytes, 120);
  std::vector<std::byte> message(random() % (limit + 1));
  for (std::byte& byte : message) byte = static_cast<std::byte>(random() >> 8);
  return message;
}

// Mostly none; else long enough for the other side to spin, or to fall asleep.
void Pause(Random& random) {
  switch (random() % 64) {
    case 0:
      std::this_thread::yield();
      break;
    case 1:
      usleep(static_cast<useconds_t>(random() % 100));
      break;
    case 2:
    case 3:
      for (uint32_t i = random() % 2000; i != 0; --i) ::ipc::internal::CpuRelax();
      break;
  }
}

// Each end of a pipe sends one stream and receives another, in two threads. The error texts say what was wrong.
absl::Status SendStream(Pipe& pipe, uint32_t stream, uint32_t messages) {
  Random random(stream + 1);
  for (uint32_t i = 0; i < messages; ++i) {
    const std::vector<std::byte> message = MakeMessage(stream, i, pipe.max_message_bytes());
    const size_t cut = random() % (message.size() + 1);
    const Blob parts[] = {Blob(message).subspan(0, cut), Blob(message).subspan(cut)};
    const absl::Status sent = pipe.SendParts(parts, {}, TimeLimit());
    if (!sent.ok()) return sent;
    Pause(random);
  }
  return pipe.FinishSending();
}

absl::Status ReceiveStream(Pipe& pipe, uint32_t stream, uint32_t messages) {
  Random random(stream + 2);
  std::vector<std::byte> buffer(pipe.max_message_bytes());
  for (uint32_t i = 0; i <= messages; ++i) {
    const absl::StatusOr<size_t> bytes = pipe.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit());
    if (i == messages) return absl::IsOutOfRange(bytes.status()) ? absl::OkStatus() : absl::InternalError("no end");
    if (!bytes.ok()) return bytes.status();
    const std::vector<std::byte> expected = MakeMessage(stream, i, buffer.size());
    if (absl::MakeConstSpan(buffer).subspan(0, *bytes) != absl::MakeConstSpan(expected)) {
      return absl::InternalError(absl::StrCat("message ", i, " of stream ", stream, " is not what was sent"));
    }
    Pause(random);
  }
  return absl::OkStatus();
}

absl::Status SendAndReceive(Pipe& pipe, uint32_t sent_stream, uint32_t received_stream) {
  absl::Status sent;
  std::thread sender([&] { sent = SendStream(pipe, sent_stream, kMessages); });
  const absl::Status received = ReceiveStream(pipe, received_stream, kMessages);
  if (!received.ok()) pipe.Close();  // So that the sender need not wait for its deadline.
  sender.join();
  return received.ok() ? sent : received;
}

class RingStressTest : public ::testing::Test {
 protected:
  // Beyond the limit of test_main.cc.
  void SetUp() override { alarm(static_cast<unsigned>(absl::ToInt64Seconds(TestDuration() + 4 * TimeLimit()))); }

  Random random_{Seed()};
  const Deadline end_ = TestDuration();
};

// One mapping for both, so that tsan sees all accesses.
TEST_F(RingStressTest, ThreadsExchangeStreams) {
  for (uint32_t round = 0; round == 0 || !end_.HasPassed(); ++round) {
    const LanePair lanes(Pick(kRingBytes, random_), Pick(kRingBytes, random_));
    const auto a = RingPipe::FromParts(
        {.link = lanes.a_link, .owns_link = true, .own = lanes.a.bytes(), .peer = lanes.b.bytes(), .mapping = nullptr});
    const auto b = RingPipe::FromParts(
        {.link = lanes.b_link, .owns_link = true, .own = lanes.b.bytes(), .peer = lanes.a.bytes(), .mapping = nullptr});
    a->set_wait_mode(Pick(kWaitModes, random_));
    b->set_wait_mode(Pick(kWaitModes, random_));
    const uint32_t stream = random_();
    absl::Status from_b;
    std::thread peer([&] { from_b = SendAndReceive(*b, stream + 1, stream); });
    EXPECT_OK(SendAndReceive(*a, stream, stream + 1)) << "round " << round;
    peer.join();
    EXPECT_OK(from_b) << "round " << round;
    if (HasFailure()) return;
  }
}

// Arguments: the streams that it sends and receives, its ring's bytes, its wait mode.
SLUICE_CHILD_ROLE(exchanging_peer) {
  const auto number = [&](size_t i) { return static_cast<uint32_t>(std::stoul(arguments[i])); };
  absl::StatusOr<std::unique_ptr<RingPipe>> pipe =
      RingPipe::FromSocket(InheritedFd(), {.ring_bytes = number(2)}, TimeLimit());
  if (!pipe.ok()) return 1;
  (*pipe)->set_wait_mode(kWaitModes[number(3)]);
  const absl::Status status = SendAndReceive(**pipe, number(0), number(1));
  if (!status.ok()) std::cerr << status << std::endl;
  if (HearParent() != "close") return 2;
  return status.ok() ? 0 : 3;
}

TEST_F(RingStressTest, ProcessesExchangeStreams) {
  for (uint32_t round = 0; round == 0 || !end_.HasPassed(); ++round) {
    auto [mine, theirs] = MakeSocketPair();
    const uint32_t stream = random_();
    Child child = Child::Start("exchanging_peer",
                               {absl::StrCat(stream + 1), absl::StrCat(stream), absl::StrCat(Pick(kRingBytes, random_)),
                                absl::StrCat(random_() % std::size(kWaitModes))},
                               {.environment = {}, .inherited = theirs});
    theirs.Close();
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RingPipe> pipe,
                         RingPipe::FromSocket(std::move(mine), {.ring_bytes = Pick(kRingBytes, random_)}, TimeLimit()));
    pipe->set_wait_mode(Pick(kWaitModes, random_));
    EXPECT_OK(SendAndReceive(*pipe, stream, stream + 1)) << "round " << round;
    child.Tell("close");
    EXPECT_EQ(child.Wait(), 0) << "round " << round;
    if (HasFailure()) return;
  }
}

// Argument: the stream that it sends until it is killed.
SLUICE_CHILD_ROLE(endless_sender) {
  absl::StatusOr<std::unique_ptr<RingPipe>> pipe =
      RingPipe::FromSocket(InheritedFd(), {.ring_bytes = kRingBytes[0]}, TimeLimit());
  if (!pipe.ok()) return 1;
  const uint32_t stream = static_cast<uint32_t>(std::stoul(arguments[0]));
  for (uint32_t i = 0;; ++i) {
    if (!(*pipe)->Send(MakeMessage(stream, i, (*pipe)->max_message_bytes()), {}, TimeLimit()).ok()) return 2;
  }
}

// K7: the sender dies anywhere, inside TrySend too. The survivor gets a prefix of the stream, and then the end.
TEST_F(RingStressTest, AKilledSenderLeavesAPrefixOfItsStream) {
  for (uint32_t round = 0; round == 0 || !end_.HasPassed(); ++round) {
    auto [mine, theirs] = MakeSocketPair();
    const uint32_t stream = random_();
    Child child = Child::Start("endless_sender", {absl::StrCat(stream)}, {.environment = {}, .inherited = theirs});
    theirs.Close();
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RingPipe> pipe,
                         RingPipe::FromSocket(std::move(mine), {.ring_bytes = kRingBytes[0]}, TimeLimit()));
    std::vector<std::byte> buffer(pipe->max_message_bytes());
    absl::StatusOr<size_t> bytes;
    const uint32_t kill_after = random_() % 300;
    uint32_t received = 0;
    for (;; ++received) {
      if (received == kill_after) {
        for (uint32_t i = random_() % 3000; i != 0; --i) ::ipc::internal::CpuRelax();
        child.Kill();
      }
      bytes = pipe->Receive(absl::MakeSpan(buffer), nullptr, TimeLimit());
      if (!bytes.ok()) break;
      ASSERT_EQ(absl::MakeConstSpan(buffer).subspan(0, *bytes),
                absl::MakeConstSpan(MakeMessage(stream, received, buffer.size())))
          << "round " << round << ", message " << received;
    }
    ASSERT_GE(received, kill_after) << bytes.status();
    ASSERT_THAT(bytes, StatusIs(absl::StatusCode::kUnavailable)) << "round " << round;
    ASSERT_EQ(ReasonOf(bytes.status()), Reason::kGone);
  }
}

}  // namespace
}  // namespace ipc::testing
