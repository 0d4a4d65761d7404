#include "ipc_transport/internal/mq_record.h"

#include <cstring>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::MqRecordHeader;
using ::ipc::internal::MqRecordType;
using ::ipc::internal::ParseMqRecord;

constexpr uint64_t kRecord = 7;
constexpr size_t kMaxPayload = 100;

absl::StatusOr<MqRecordHeader> Parse(const MqRecordHeader& header, size_t payload_bytes) {
  std::vector<std::byte> message(sizeof(header) + payload_bytes);
  std::memcpy(message.data(), &header, sizeof(header));
  return ParseMqRecord(message, kRecord, kMaxPayload);
}

TEST(MqRecordTest, HonestRecordsPass) {
  for (const uint32_t bytes : {0u, 1u, 100u}) {
    ASSERT_OK_AND_ASSIGN(const MqRecordHeader header,
                         Parse({.descriptors = 16, .bytes = bytes, .record = kRecord}, bytes));
    EXPECT_EQ(header.bytes, bytes);
    EXPECT_EQ(header.descriptors, 16);
  }
  EXPECT_OK(Parse({.type = MqRecordType::kFinish, .record = kRecord}, 0));
}

// M2, M3, M5, D1
TEST(MqRecordTest, RecordsThatCannotBeAreDataLoss) {
  const MqRecordHeader good = {.descriptors = 1, .bytes = 10, .record = kRecord};
  const auto with = [&](auto change) {
    MqRecordHeader header = good;
    change(header);
    return Parse(header, 10);
  };
  ASSERT_OK(Parse(good, 10));
  const absl::StatusCode data_loss = absl::StatusCode::kDataLoss;
  EXPECT_THAT(with([](MqRecordHeader& header) { header.type = MqRecordType{0}; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.type = MqRecordType{3}; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.type = MqRecordType::kFinish; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.descriptors = 17; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.reserved = 1; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.bytes = 9; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.bytes = 11; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.bytes = UINT32_MAX; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.record = kRecord - 1; }), StatusIs(data_loss));
  EXPECT_THAT(with([](MqRecordHeader& header) { header.record = kRecord + 1; }), StatusIs(data_loss));
  EXPECT_THAT(Parse({.bytes = 101, .record = kRecord}, 101), StatusIs(data_loss));
  EXPECT_THAT(Parse({.type = MqRecordType::kFinish, .descriptors = 1, .record = kRecord}, 0), StatusIs(data_loss));
}

// M1
TEST(MqRecordTest, WhatIsCutShortIsDataLoss) {
  const MqRecordHeader header = {.record = kRecord};
  const auto* const bytes = reinterpret_cast<const std::byte*>(&header);
  for (size_t size = 0; size < sizeof(header); ++size) {
    EXPECT_THAT(ParseMqRecord(absl::MakeConstSpan(bytes, size), kRecord, kMaxPayload),
                StatusIs(absl::StatusCode::kDataLoss));
  }
}

// V1
TEST(MqRecordTest, AnotherVersionIsNamed) {
  const absl::Status status = Parse({.version = 2, .record = kRecord}, 0).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, ::testing::HasSubstr("version 2")));
  EXPECT_EQ(ReasonOf(status), Reason::kWrongVersion);
}

// M1: 1000 seeds.
TEST(MqRecordTest, RandomBytesNeverPass) {
  for (uint32_t seed = 1; seed <= 1000; ++seed) {
    std::minstd_rand random(seed);
    std::vector<std::byte> message(random() % 128);
    for (std::byte& byte : message) byte = static_cast<std::byte>(random());
    EXPECT_FALSE(ParseMqRecord(message, kRecord, kMaxPayload).ok()) << seed;
    if (message.empty()) continue;
    message[0] = std::byte{1};  // The version.
    EXPECT_THAT(ParseMqRecord(message, kRecord, kMaxPayload), StatusIs(absl::StatusCode::kDataLoss)) << seed;
  }
}

}  // namespace
}  // namespace ipc::testing
