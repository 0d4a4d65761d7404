#include "perf_demo/build_answer.h"

#include <capnp/message.h>

#include <cstdint>
#include <fstream>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "perf_demo/choices.h"
#include "perf_demo/read_answer.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TempDir;

constexpr auto kGoOn = [] { return absl::OkStatus(); };

TEST(PartBytesTest, WholePagesWithinBounds) {
  EXPECT_EQ(PartBytes(0), 65536u);
  EXPECT_EQ(PartBytes(262'144), 65536u);
  EXPECT_EQ(PartBytes(10'000'000), 2490368u);
  EXPECT_EQ(PartBytes(1'000'000'000), 67108864u);
  EXPECT_EQ(PartBytes(100'000'000'000), 67108864u);
}

class BuildAnswerTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(BuildAnswerTest, CarriesTheFileInParts) {
  const uint64_t bytes = GetParam();
  const FileSource source = FileSource::OfSizes({bytes});
  ASSERT_OK_AND_ASSIGN(const File file, source.Open(source.entries()[0].name));
  capnp::MallocMessageBuilder message;
  ASSERT_OK(BuildAnswer(file, kGoOn, message.getRoot<Body>()));
  ASSERT_OK_AND_ASSIGN(const GetCacheRsp::Reader answer, FileIn(message.getRoot<Body>().asReader()));
  EXPECT_EQ(FileBytes(answer), bytes);
  EXPECT_GT(answer.getBuildNanos(), 0u);
  EXPECT_OK(VerifyParts(answer, Verify::kAll));
  std::string content(bytes, '\0');
  ASSERT_OK(file.Read(0, absl::MakeSpan(reinterpret_cast<std::byte*>(content.data()), content.size())));
  std::string carried;
  for (const FilePart::Reader part : answer.getFileParts()) {
    carried.append(reinterpret_cast<const char*>(part.getData().begin()), part.getData().size());
  }
  EXPECT_TRUE(carried == content);
}

INSTANTIATE_TEST_SUITE_P(Sizes, BuildAnswerTest, ::testing::Values(0, 1, 65536, 65537, 100'000, 3'000'000));

TEST(BuildAnswerTest, StopsWhereItIsToldTo) {
  const FileSource source = FileSource::OfSizes({1'000'000});
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("1MB"));
  capnp::MallocMessageBuilder message;
  int asked = 0;
  const auto stop_at_third = [&] { return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus(); };
  EXPECT_THAT(BuildAnswer(file, stop_at_third, message.getRoot<Body>()),
              StatusIs(absl::StatusCode::kCancelled, "enough"));
  EXPECT_EQ(asked, 3);
}

TEST(BuildAnswerTest, AFileThatCannotBeReadIsAnError) {
  const TempDir folder;
  std::ofstream(folder.path() + "/file") << "0123456789";
  ASSERT_OK_AND_ASSIGN(const FileSource source, FileSource::OfFolder(folder.path()));
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("file"));
  std::ofstream(folder.path() + "/file", std::ios::trunc) << "0";
  capnp::MallocMessageBuilder message;
  EXPECT_THAT(BuildAnswer(file, kGoOn, message.getRoot<Body>()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(BuildErrorTest, TravelsWithCodeAndText) {
  capnp::MallocMessageBuilder message;
  BuildError(absl::ResourceExhaustedError("no memory"), message.getRoot<Body>());
  EXPECT_THAT(FileIn(message.getRoot<Body>().asReader()), StatusIs(absl::StatusCode::kResourceExhausted, "no memory"));
}

}  // namespace
}  // namespace cache_demo
