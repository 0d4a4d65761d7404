#include "ipc_session/internal/inquiry.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frame_header.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/refusal.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

absl::Span<const std::byte> BytesOf(const std::string& packet) {
  return {reinterpret_cast<const std::byte*>(packet.data()), packet.size()};
}

ChannelReport ChannelWith(uint32_t id) {
  return {.id = id,
          .pipe = static_cast<PipeKind>(id % 3),
          .sent = {.messages = 10 + id, .bytes = 640, .refused = 1, .spins = 2, .sleeps = 3, .sizes = {1, 0, 9}},
          .received = {.messages = 20 + id, .bytes = 1280, .refused = 4, .spins = 5, .sleeps = 6},
          .unread_bytes = 64};
}

SessionReport SessionWith(uint32_t channels) {
  SessionReport session = {.peer = {.app = "cacheCli", .credentials = {.pid = 12, .uid = 1000, .gid = 1001}},
                           .opened_unix_nanos = 1'700'000'000'000'000'000,
                           .channels = channels};
  for (uint32_t i = 0; i < channels; ++i) session.listed.push_back(ChannelWith(i));
  return session;
}

ServerReport ReportWith(uint32_t sessions, uint32_t channels) {
  ServerReport report = {.app = "cacheSrv", .kind = MemoryKind::kClassic, .sessions = sessions};
  for (uint32_t i = 0; i < sessions; ++i) report.listed.push_back(SessionWith(channels));
  return report;
}

absl::StatusOr<ServerReport> Decode(const std::deque<std::string>& packets) {
  ReportReader reader;
  bool complete = false;
  for (const std::string& packet : packets) {
    if (complete) return absl::InternalError("it goes on behind its end");
    absl::StatusOr<bool> added = reader.Add(BytesOf(packet));
    if (!added.ok()) return added.status();
    complete = *added;
  }
  if (!complete) return absl::InternalError("it is not complete");
  return reader.Decode();
}

void ExpectSame(const ServerReport& decoded, const ServerReport& report) {
  EXPECT_EQ(decoded.app, report.app);
  EXPECT_EQ(decoded.kind, report.kind);
  EXPECT_EQ(decoded.sessions, report.sessions);
  ASSERT_EQ(decoded.listed.size(), report.listed.size());
  for (size_t i = 0; i < report.listed.size(); ++i) {
    const SessionReport& session = decoded.listed[i];
    EXPECT_EQ(session.peer.app, report.listed[i].peer.app);
    EXPECT_EQ(session.peer.credentials, report.listed[i].peer.credentials);
    EXPECT_EQ(session.opened_unix_nanos, report.listed[i].opened_unix_nanos);
    EXPECT_EQ(session.has_ended, report.listed[i].has_ended);
    EXPECT_EQ(session.memory, report.listed[i].memory);
    EXPECT_EQ(session.channels, report.listed[i].channels);
    EXPECT_EQ(session.listed, report.listed[i].listed);
  }
}

TEST(InquiryTest, IsOneThatTheServerUnderstands) {
  const std::string inquiry = EncodeInquiry();
  EXPECT_TRUE(IsInquiry(BytesOf(inquiry)));
  EXPECT_THAT(DecodeInquiry(BytesOf(inquiry)), IsOk());
}

TEST(InquiryTest, NoOtherFrameIsOne) {
  EXPECT_FALSE(IsInquiry(BytesOf(EncodeReady())));
  EXPECT_FALSE(IsInquiry(BytesOf("something else")));
  EXPECT_FALSE(IsInquiry({}));
}

TEST(InquiryTest, OneThatIsCutShortIsRefused) {  // V1
  const std::string inquiry = EncodeInquiry();
  for (size_t bytes = 0; bytes < inquiry.size(); ++bytes) {
    EXPECT_THAT(DecodeInquiry(BytesOf(inquiry.substr(0, bytes))), StatusIs(kDataLoss)) << bytes;
  }
}

TEST(InquiryTest, OneOfAnotherVersionIsToldBothRanges) {  // V2
  std::string inquiry;
  AppendFrameHeader(FrameType::kInquiry, 7, sizeof(VersionRange), &inquiry);
  const VersionRange later = {.oldest = 7, .newest = 9};
  inquiry.append(reinterpret_cast<const char*>(&later), sizeof(later));
  ASSERT_TRUE(IsInquiry(BytesOf(inquiry)));
  const absl::Status status = DecodeInquiry(BytesOf(inquiry));
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the server speaks 1, the asker 7 to 9")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongVersion);
}

TEST(InquiryTest, OneThatALaterAskerExtendedIsUnderstood) {  // V2
  std::string inquiry;
  AppendFrameHeader(FrameType::kInquiry, 1, sizeof(VersionRange) + 8, &inquiry);
  const VersionRange both = {.oldest = 1, .newest = 2};
  inquiry.append(reinterpret_cast<const char*>(&both), sizeof(both));
  inquiry.append("what else");
  inquiry.pop_back();
  EXPECT_THAT(DecodeInquiry(BytesOf(inquiry)), IsOk());
}

TEST(ReportTest, ArrivesAsItWas) {
  ServerReport report = ReportWith(2, 3);
  report.listed[0].memory = MemoryUsage{.allocated_bytes = 4096,
                                        .cached_bytes = 1024,
                                        .dirty_bytes = 65536,
                                        .fragmented_bytes = 512,
                                        .committed_bytes = 71168,
                                        .limit_bytes = 1 << 20,
                                        .blocks = 3,
                                        .objects = 2,
                                        .object_bytes = 100,
                                        .loans_out = 5};
  report.listed[1].has_ended = true;
  ASSERT_OK_AND_ASSIGN(const ServerReport decoded, Decode(EncodeReport(report)));
  ExpectSame(decoded, report);
}

TEST(ReportTest, OneWithoutSessionsArrives) {
  ASSERT_OK_AND_ASSIGN(const ServerReport decoded, Decode(EncodeReport(ReportWith(0, 0))));
  ExpectSame(decoded, ReportWith(0, 0));
}

TEST(ReportTest, ALongOneArrivesInSeveralPackets) {
  const ServerReport report = ReportWith(20, 100);
  const std::deque<std::string> packets = EncodeReport(report);
  EXPECT_GT(packets.size(), 40);
  for (const std::string& packet : packets) EXPECT_LE(packet.size(), kMaxFrameBytes);
  ASSERT_OK_AND_ASSIGN(const ServerReport decoded, Decode(packets));
  ExpectSame(decoded, report);
}

TEST(ReportTest, AtTheLimitEverythingIsListedAndBeyondItCounted) {
  const ServerReport full = ReportWith(kMaxListedSessions, kMaxListedChannels / kMaxListedSessions);
  ASSERT_OK_AND_ASSIGN(const ServerReport all, Decode(EncodeReport(full)));
  ExpectSame(all, full);

  const ServerReport fuller = ReportWith(kMaxListedSessions + 1, kMaxListedChannels / kMaxListedSessions + 1);
  ASSERT_OK_AND_ASSIGN(const ServerReport some, Decode(EncodeReport(fuller)));
  EXPECT_EQ(some.sessions, kMaxListedSessions + 1);
  ASSERT_EQ(some.listed.size(), kMaxListedSessions);
  size_t channels = 0;
  for (const SessionReport& session : some.listed) channels += session.listed.size();
  EXPECT_EQ(channels, kMaxListedChannels);
  EXPECT_EQ(some.listed.back().channels, kMaxListedChannels / kMaxListedSessions + 1);
  EXPECT_TRUE(some.listed.back().listed.empty());
}

TEST(ReportTest, OneThatIsCutShortAnywhereIsRefused) {  // V1
  const std::string packet = EncodeReport(ReportWith(2, 2))[0];
  for (size_t bytes = 0; bytes < packet.size(); ++bytes) {
    std::string cut = packet.substr(0, bytes);
    ReportReader reader;
    EXPECT_THAT(reader.Add(BytesOf(cut)), StatusIs(kDataLoss)) << bytes;
    // The same with a header that fits.
    if (bytes <= sizeof(FrameHeader) + 8) continue;
    const uint32_t length = static_cast<uint32_t>(bytes);
    const uint32_t total = length - sizeof(FrameHeader) - 8;
    std::memcpy(cut.data() + 4, &length, sizeof(length));
    std::memcpy(cut.data() + sizeof(FrameHeader), &total, sizeof(total));
    EXPECT_THAT(Decode({cut}), StatusIs(kDataLoss)) << bytes;
  }
}

TEST(ReportTest, PartsOutOfTheirOrderAreRefused) {
  std::deque<std::string> packets = EncodeReport(ReportWith(20, 10));
  ASSERT_GT(packets.size(), 2);
  ReportReader twice;
  EXPECT_THAT(twice.Add(BytesOf(packets[0])), IsOk());
  EXPECT_THAT(twice.Add(BytesOf(packets[0])), StatusIs(kDataLoss));
  ReportReader late;
  EXPECT_THAT(late.Add(BytesOf(packets[1])), StatusIs(kDataLoss));
}

// Overwrites `bytes` behind the part's head.
template <typename T>
std::string Forged(std::string packet, size_t offset, T value) {
  std::memcpy(packet.data() + sizeof(FrameHeader) + 8 + offset, &value, sizeof(value));
  return packet;
}

TEST(ReportTest, ForgedFieldsAreRefused) {
  const std::string packet = EncodeReport(ReportWith(1, 1))[0];
  constexpr size_t kSession = 48;
  constexpr size_t kChannel = kSession + 144;
  struct Case {
    const char* what;
    std::string packet;
  };
  const Case cases[] = {
      {"an app's name with a line feed", Forged(packet, 0, '\n')},
      {"no name", Forged(packet, 0, uint64_t{0})},
      {"more behind the name's end", Forged(packet, 31, 'x')},
      {"an unknown kind of memory", Forged(packet, 32, uint32_t{3})},
      {"more sessions listed than there are", Forged(packet, 40, uint32_t{2})},
      {"a reserved field", Forged(packet, 44, uint32_t{1})},
      {"a peer's name with an escape", Forged(packet, kSession, '\x1b')},
      {"a negative pid", Forged(packet, kSession + 32, uint32_t{0x80000000})},
      {"half ended", Forged(packet, kSession + 44, uint16_t{2})},
      {"half of a memory", Forged(packet, kSession + 46, uint16_t{2})},
      {"usage without memory", Forged(packet, kSession + 56, uint64_t{1})},
      {"fewer channels than are listed", Forged(packet, kSession + 136, uint32_t{0})},
      {"more channels listed than come",
       Forged(Forged(packet, kSession + 136, uint32_t{9}), kSession + 140, uint32_t{9})},
      {"fewer channels listed than come", Forged(packet, kSession + 140, uint32_t{0})},
      {"an unknown kind of pipe", Forged(packet, kChannel + 4, uint32_t{3})},
  };
  ASSERT_THAT(Decode({packet}), IsOk());
  for (const Case& forged : cases) EXPECT_THAT(Decode({forged.packet}), StatusIs(kDataLoss)) << forged.what;

  ReportReader endless;
  std::string head = packet;
  const uint32_t total = 0x7fffffff;
  std::memcpy(head.data() + sizeof(FrameHeader), &total, sizeof(total));
  EXPECT_THAT(endless.Add(BytesOf(head)), StatusIs(kDataLoss, HasSubstr("too long")));
}

TEST(ReportTest, ARefusalInsteadIsItsError) {
  ReportReader reader;
  EXPECT_THAT(reader.Add(BytesOf(Encode(Refusal{.code = absl::StatusCode::kResourceExhausted, .text = "full"}))),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("refused: full")));
}

TEST(ReportTest, RandomBytesAreRefusedOrDecoded) {  // V1
  const std::string packet = EncodeReport(ReportWith(1, 3))[0];
  std::mt19937 random(1);
  int decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = packet;
    for (unsigned i = random() % 8; i < 8; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    decoded += Decode({damaged}).ok();
    std::string noise(random() % 256, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    ReportReader reader;
    EXPECT_FALSE(reader.Add(BytesOf(noise)).ok());
    EXPECT_FALSE(DecodeInquiry(BytesOf(noise)).ok());
  }
  EXPECT_GT(decoded, 0);
  EXPECT_LT(decoded, 20'000);
}

}  // namespace
}  // namespace ipc::internal
