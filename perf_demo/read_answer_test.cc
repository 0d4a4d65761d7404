#include "perf_demo/read_answer.h"

#include <capnp/message.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "perf_demo/build_answer.h"
#include "perf_demo/file_source.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

// The answer for a file of four parts.
class ReadAnswerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const FileSource source = FileSource::OfSizes({200'001});
    ASSERT_OK_AND_ASSIGN(const File file, source.Open("200001B"));
    ASSERT_OK(BuildAnswer(file, [] { return absl::OkStatus(); }, body()));
    ASSERT_EQ(answer().getFileParts().size(), 4u);
  }

  Body::Builder body() { return message_->getRoot<Body>(); }
  GetCacheRsp::Builder answer() { return body().getGetCacheRsp(); }
  FilePart::Builder part(int index) { return answer().getFileParts()[index]; }

 private:
  // Not a member itself, whose destructor may throw.
  const std::unique_ptr<capnp::MessageBuilder> message_ = std::make_unique<capnp::MallocMessageBuilder>();
};

TEST_F(ReadAnswerTest, ACorruptedByteIsFound) {
  part(3).getData()[3392] ^= 1;
  EXPECT_THAT(VerifyParts(answer(), Verify::kAll), StatusIs(kDataLoss, HasSubstr("part 3 of the file has the hash")));
  EXPECT_OK(VerifyParts(answer(), Verify::kFirst));
  part(0).getData()[0] ^= 0x80;
  EXPECT_THAT(VerifyParts(answer(), Verify::kFirst), StatusIs(kDataLoss, HasSubstr("part 0")));
}

TEST_F(ReadAnswerTest, AWrongHashIsFound) {
  part(1).setHash(part(1).getHash() + 1);
  EXPECT_THAT(VerifyParts(answer(), Verify::kAll), StatusIs(kDataLoss, HasSubstr("part 1")));
}

TEST_F(ReadAnswerTest, AWrongSizeIsFound) {
  part(2).setSize(65535);
  EXPECT_THAT(VerifyParts(answer(), Verify::kAll),
              StatusIs(kDataLoss, "part 2 of the file has 65536 bytes; it says 65535"));
}

TEST_F(ReadAnswerTest, AMissingPartChangesTheSize) {
  EXPECT_EQ(FileBytes(answer()), 200'001u);
  part(1).setSize(0);
  EXPECT_EQ(FileBytes(answer()), 200'001u - 65536);
}

TEST_F(ReadAnswerTest, EveryByteIsRead) {
  const uint64_t sum = SumOfBytes(answer());
  for (const int index : {0, 1, 2, 3}) {
    part(index).getData()[part(index).getData().size() - 1] ^= 1;
    EXPECT_NE(SumOfBytes(answer()), sum) << index;
    part(index).getData()[part(index).getData().size() - 1] ^= 1;
  }
  EXPECT_EQ(SumOfBytes(answer()), sum);
}

TEST_F(ReadAnswerTest, WhatIsNoFileIsRefused) {
  EXPECT_OK(FileIn(body()));
  answer().initFileParts(0);
  EXPECT_THAT(FileIn(body()), StatusIs(kDataLoss));
  body().initGetCacheReq();
  EXPECT_THAT(FileIn(body()), StatusIs(kDataLoss));
}

}  // namespace
}  // namespace cache_demo
