#include "ipc_session/internal/frames.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ipc::internal::Hello;
using ipc::internal::MemoryKind;
using ipc::internal::OutboxLayout;
using ipc::internal::Refusal;
using ipc::internal::Welcome;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

absl::Span<const std::byte> Bytes(const std::string& packet) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(packet.data()), packet.size());
}

Hello SomeHello() {
  return {.client_app = std::string(32, 'c'),
          .server_app = "s",
          .terms = {.kind = MemoryKind::kJemalloc,
                    .channels = 64,
                    .keep_alive_milliseconds = 5,
                    .idle_timeout_milliseconds = 70000,
                    .outbox = OutboxLayout::For(1 << 20, 4096, 64),
                    .region_bytes = {1, 2, 3, 4},
                    .places = {1, 2, 3, 4, 5, 6, 7, 8},
                    .metadata = std::string(4096, 'm')}};
}

Welcome SomeWelcome() {
  return {.terms = {.kind = MemoryKind::kClassic,
                    .channels = 3,
                    .outbox = OutboxLayout::For(1 << 20, 8192, 3),
                    .region_bytes = {uint64_t{1} << 32},
                    .places = {uint64_t{1} << 45},
                    .metadata = std::string("a\0b", 3)}};
}

// The packet with `value` written over what is at `offset`.
template <typename T>
std::string With(std::string packet, size_t offset, T value) {
  std::memcpy(packet.data() + offset, &value, sizeof(value));
  return packet;
}

// A packet of another size, whose header says so.
std::string Resized(std::string packet, size_t bytes) {
  packet.resize(bytes);
  return With(packet, 4, static_cast<uint32_t>(bytes));
}

// The format; it stays as it is, or gets a new version.
constexpr size_t kTypeOffset = 8;
constexpr size_t kVersionOffset = 10;
constexpr size_t kBody = 12;
constexpr size_t kClientName = kBody + 8;
constexpr size_t kHelloTerms = kBody + 72;
constexpr size_t kHelloBytes = kBody + 232;

TEST(FramesTest, HelloTravels) {
  EXPECT_THAT(ipc::internal::DecodeHello(Bytes(Encode(SomeHello()))), IsOkAndHolds(SomeHello()));
}

TEST(FramesTest, WelcomeTravels) {
  ASSERT_OK_AND_ASSIGN(auto answer, ipc::internal::DecodeAnswer(Bytes(Encode(SomeWelcome()))));
  EXPECT_EQ(std::get<Welcome>(answer), SomeWelcome());
}

TEST(FramesTest, EveryRefusalTravels) {
  const Refusal refusals[] = {
      {absl::StatusCode::kPermissionDenied, Reason::kNotListed, "not listed"},
      {absl::StatusCode::kPermissionDenied, Reason::kWrongUser, ""},
      {absl::StatusCode::kPermissionDenied, Reason::kWrongExecutable, std::string(128, 'x')},
      {absl::StatusCode::kFailedPrecondition, Reason::kWrongKind, "a"},
      {absl::StatusCode::kFailedPrecondition, Reason::kWrongVersion, "b"},
      {absl::StatusCode::kResourceExhausted, Reason::kLimit, "c"},
      {absl::StatusCode::kDataLoss, Reason::kNone, "d"},
      {absl::StatusCode::kDeadlineExceeded, Reason::kNone, "e"},
      {absl::StatusCode::kUnavailable, Reason::kNone, "f"},
  };
  for (const Refusal& refusal : refusals) {
    ASSERT_OK_AND_ASSIGN(auto answer, ipc::internal::DecodeAnswer(Bytes(Encode(refusal))));
    EXPECT_EQ(std::get<Refusal>(answer), refusal);
  }
}

TEST(FramesTest, ARefusalsTextIsCutToItsLimit) {
  const Refusal refusal = {.text = std::string(500, 'x')};
  ASSERT_OK_AND_ASSIGN(auto answer, ipc::internal::DecodeAnswer(Bytes(Encode(refusal))));
  EXPECT_EQ(std::get<Refusal>(answer).text, std::string(128, 'x'));
}

TEST(FramesTest, ReadyTravels) { EXPECT_OK(ipc::internal::DecodeReady(Bytes(ipc::internal::EncodeReady()))); }

// M5
TEST(FramesTest, AFrameOutOfTurnIsRefused) {
  const std::string frames[] = {Encode(SomeHello()), Encode(SomeWelcome()), Encode(Refusal()),
                                ipc::internal::EncodeReady()};
  for (const std::string& frame : frames) {
    EXPECT_EQ(ipc::internal::DecodeHello(Bytes(frame)).ok(), frame == frames[0]);
    EXPECT_EQ(ipc::internal::DecodeAnswer(Bytes(frame)).ok(), frame == frames[1] || frame == frames[2]);
    EXPECT_EQ(ipc::internal::DecodeReady(Bytes(frame)).ok(), frame == frames[3]);
  }
}

// V1: recorded bytes of the released protocol, which every later version understands.
TEST(FramesTest, LookAsTheyDidBefore) {
  const Hello hello = {.client_app = "c",
                       .server_app = "s",
                       .terms = {.kind = MemoryKind::kClassic,
                                 .channels = 2,
                                 .keep_alive_milliseconds = 3,
                                 .idle_timeout_milliseconds = 4,
                                 .outbox = OutboxLayout::For(1 << 20, 4096, 2),
                                 .region_bytes = {4096},
                                 .places = {0x1122334455667788},
                                 .metadata = "m"}};
  EXPECT_EQ(
      absl::BytesToHexString(Encode(hello)),
      "536c7563f50000000100010001000100000000006300000000000000000000000000000000000000000000000000000000000000"
      "7300000000000000000000000000000000000000000000000000000000000000"
      "0101010002000000010000000300000004000000000000000000100000000000001000000000000000100400000000000010"
      "00000000000000000100000000000010000000000000000000000000000000000000000000000000000000000000"
      "8877665544332211"
      "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
      "6d");
  EXPECT_EQ(absl::BytesToHexString(Encode(Refusal{.reason = Reason::kNotListed, .text = "no"})).substr(0, 44),
            "536c7563940000000300010001000100020000006e6f");
  EXPECT_EQ(absl::BytesToHexString(ipc::internal::EncodeReady()), "536c75630c00000004000100");
}

// M2
TEST(FramesTest, EveryTruncationIsRefused) {
  const std::string hello = Encode(SomeHello());
  const std::string welcome = Encode(SomeWelcome());
  const std::string refusal = Encode(Refusal{.text = "x"});
  const std::string ready = ipc::internal::EncodeReady();
  for (size_t bytes = 0; bytes < hello.size(); ++bytes) {
    EXPECT_THAT(ipc::internal::DecodeHello(Bytes(hello.substr(0, bytes))), StatusIs(kDataLoss));
    EXPECT_THAT(ipc::internal::DecodeHello(Bytes(Resized(hello, std::max<size_t>(bytes, 12)))), StatusIs(kDataLoss));
  }
  for (size_t bytes = 12; bytes < welcome.size(); ++bytes) {
    EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(Resized(welcome, bytes))), StatusIs(kDataLoss));
  }
  for (size_t bytes = 12; bytes < refusal.size(); ++bytes) {
    EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(Resized(refusal, bytes))), StatusIs(kDataLoss));
  }
  for (size_t bytes = 0; bytes < ready.size(); ++bytes) {
    EXPECT_THAT(ipc::internal::DecodeReady(Bytes(ready.substr(0, bytes))), StatusIs(kDataLoss));
  }
}

// M2
TEST(FramesTest, ExtraBytesAreRefused) {
  const std::string hello = Encode(SomeHello());
  const std::string welcome = Encode(SomeWelcome());
  const std::string refusal = Encode(Refusal());
  const std::string ready = ipc::internal::EncodeReady();
  EXPECT_THAT(ipc::internal::DecodeHello(Bytes(hello + "x")), StatusIs(kDataLoss));
  EXPECT_THAT(ipc::internal::DecodeHello(Bytes(Resized(hello, hello.size() + 1))), StatusIs(kDataLoss));
  EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(Resized(welcome, welcome.size() + 1))), StatusIs(kDataLoss));
  EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(Resized(refusal, refusal.size() + 1))), StatusIs(kDataLoss));
  EXPECT_THAT(ipc::internal::DecodeReady(Bytes(Resized(ready, ready.size() + 1))), StatusIs(kDataLoss));
}

// M3
TEST(FramesTest, ForgedLengthsAreRefused) {
  const std::string hello = Encode(SomeHello());
  constexpr uint32_t kMax = std::numeric_limits<uint32_t>::max();
  const auto length = static_cast<uint32_t>(hello.size());
  for (const uint32_t forged : {uint32_t{0}, uint32_t{1}, length - 1, length + 1, uint32_t{1} << 31, kMax}) {
    EXPECT_THAT(ipc::internal::DecodeHello(Bytes(With(hello, 4, forged))), StatusIs(kDataLoss)) << forged;
  }
  for (const uint32_t forged : {uint32_t{0}, uint32_t{4095}, uint32_t{4097}, uint32_t{1} << 31, kMax}) {
    EXPECT_THAT(ipc::internal::DecodeHello(Bytes(With(hello, kHelloTerms + 8, forged))),
                StatusIs(kDataLoss, HasSubstr("metadata")))
        << forged;
  }
  // A size that fits the packet, and is still more than a hello may carry.
  EXPECT_THAT(
      ipc::internal::DecodeHello(Bytes(With(Resized(hello, hello.size() + 1), kHelloTerms + 8, uint32_t{4097}))),
      StatusIs(kDataLoss, HasSubstr("metadata")));
}

// M5
TEST(FramesTest, ForgedFieldsAreRefused) {
  const std::string hello = Encode(SomeHello());
  const std::string forged[] = {
      With(hello, 0, uint32_t{0}),                    // Magic.
      With(hello, kTypeOffset, uint16_t{9}),          // Type.
      With(hello, kVersionOffset, uint16_t{0}),       // Layout.
      With(hello, kBody, uint16_t{2}),                // Oldest above newest.
      With(hello, kBody + 4, uint32_t{1}),            // Reserved.
      With(hello, kClientName, ' '),                  // A character that no name has.
      With(hello, kClientName + 4, '\0'),             // More behind the end of a name.
      With(hello, kHelloTerms, uint8_t{3}),           // Kind.
      With(hello, kHelloTerms + 1, uint8_t{5}),       // Regions.
      With(hello, kHelloTerms + 2, uint8_t{9}),       // Places.
      With(hello, kHelloTerms + 3, uint8_t{1}),       // Reserved.
      With(hello, kHelloTerms + 4, uint32_t{4097}),   // Channels.
      With(hello, kHelloTerms + 20, uint32_t{1}),     // Reserved.
      With(hello, kHelloTerms + 24, uint64_t{4096}),  // An outbox too small for what lies in it.
      With(hello, kHelloTerms + 4, uint32_t{300}),    // More channels than the outbox holds.
  };
  for (const std::string& packet : forged) EXPECT_THAT(ipc::internal::DecodeHello(Bytes(packet)), StatusIs(kDataLoss));
  EXPECT_EQ(hello.size(), kHelloBytes + 4096);
}

// V1
TEST(FramesTest, DisjointVersionsAreToldApartWhateverFollows) {
  const std::string hello = Encode(SomeHello());
  std::string newer = With(With(hello, kBody, uint16_t{7}), kBody + 2, uint16_t{9});
  newer = With(newer, kVersionOffset, uint16_t{7});
  for (const std::string& packet : {newer, Resized(newer, kBody + 4), newer + std::string(0, 'x')}) {
    const absl::Status status = ipc::internal::DecodeHello(Bytes(packet)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                                 HasSubstr("the server speaks 1 to 1, the client 7 to 9")));
    EXPECT_EQ(ReasonOf(status), Reason::kWrongVersion);
  }
}

// V1
TEST(FramesTest, AClientThatSpeaksMoreVersionsIsUnderstood) {
  EXPECT_THAT(ipc::internal::DecodeHello(Bytes(With(Encode(SomeHello()), kBody + 2, uint16_t{9}))),
              IsOkAndHolds(SomeHello()));
}

TEST(FramesTest, ARefusalIsCheckedToo) {
  const std::string refusal = Encode(Refusal{.text = "text"});
  EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(With(refusal, kBody, uint16_t{99}))), StatusIs(kDataLoss));
  EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(With(refusal, kBody + 4, uint32_t{129}))), StatusIs(kDataLoss));
  EXPECT_THAT(ipc::internal::DecodeAnswer(Bytes(With(refusal, kBody + 8, '\x1b'))), StatusIs(kDataLoss));
  // A later version's reason: still a refusal, with its text.
  ASSERT_OK_AND_ASSIGN(auto answer, ipc::internal::DecodeAnswer(Bytes(With(refusal, kBody + 2, uint16_t{99}))));
  EXPECT_EQ(std::get<Refusal>(answer), (Refusal{.text = "text"}));
}

// M1
TEST(FramesTest, RandomBytesAreNeverAFrame) {
  for (uint32_t seed = 0; seed < 10000; ++seed) {
    std::mt19937 random(seed);
    std::string packet(random() % (ipc::internal::kMaxFrameBytes + 1), '\0');
    for (char& byte : packet) byte = static_cast<char>(random());
    ASSERT_FALSE(ipc::internal::DecodeHello(Bytes(packet)).ok()) << seed;
    ASSERT_FALSE(ipc::internal::DecodeAnswer(Bytes(packet)).ok()) << seed;
    ASSERT_FALSE(ipc::internal::DecodeReady(Bytes(packet)).ok()) << seed;
  }
}

// M1: behind a good header, where the fields are looked at.
TEST(FramesTest, RandomBodiesYieldOnlyWhatCanBe) {
  for (uint32_t seed = 0; seed < 10000; ++seed) {
    std::mt19937 random(seed);
    std::string packet = Encode(SomeHello());
    for (int flips = 1 + random() % 3; flips > 0; --flips) {
      packet[kBody + random() % (kHelloBytes - kBody)] = static_cast<char>(random());
    }
    const absl::StatusOr<Hello> hello = ipc::internal::DecodeHello(Bytes(packet));
    if (!hello.ok()) continue;
    EXPECT_LE(hello->terms.channels, hello->terms.outbox.capacity()) << seed;
    EXPECT_LE(hello->terms.region_bytes.size(), 4u) << seed;
    EXPECT_OK(Validate(hello->terms.outbox)) << seed;
  }
}

}  // namespace
}  // namespace ipc::testing
