#include "perf_demo/measure.h"

#include <capnp/message.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

// Answers from a file that it has at hand.
class FakeAsker final : public Asker {
 public:
  explicit FakeAsker(uint64_t bytes) {
    const FileSource source = FileSource::OfSizes({bytes});
    const absl::StatusOr<File> file = source.Open(source.entries()[0].name);
    EXPECT_OK(BuildAnswer(*file, [] { return absl::OkStatus(); }, answer_->getRoot<Body>()));
  }

  absl::StatusOr<Body::Reader> Ask(const std::string& file_name, ipc::Deadline) override {
    EXPECT_EQ(file_name, "the file");
    EXPECT_FALSE(is_held_) << "the answer before was not given back";
    is_held_ = true;
    ++asked_;
    if (before_answer_) before_answer_();
    return answer_->getRoot<Body>().asReader();
  }
  void Release() override { is_held_ = false; }
  pid_t server_pid() const override { return getpid(); }

  Body::Builder body() { return answer_->getRoot<Body>(); }
  int asked() const { return asked_; }
  // Runs `action` before the answer to the request of that number.
  void Before(int number, std::function<void()> action) {
    before_answer_ = [this, number, action = std::move(action)] {
      if (asked_ == number) action();
    };
  }

 private:
  // Not a member itself, whose destructor may throw.
  const std::unique_ptr<capnp::MessageBuilder> answer_ = std::make_unique<capnp::MallocMessageBuilder>();
  bool is_held_ = false;
  int asked_ = 0;
  std::function<void()> before_answer_;
};

absl::StatusOr<Result> MeasureOne(Asker& asker, const MeasureOptions& options) {
  absl::StatusOr<std::vector<Result>> results = Measure(asker, {"the file"}, options);
  if (!results.ok()) return results.status();
  EXPECT_EQ(results->size(), 1u);
  return results->front();
}

TEST(MeasureTest, FillsTheResult) {
  FakeAsker asker(100'001);
  ASSERT_OK_AND_ASSIGN(const Result result, MeasureOne(asker, {.iterations = 7, .verify = Verify::kFirst}));
  EXPECT_EQ(result.file, "the file");
  EXPECT_EQ(result.bytes, 100'001u);
  EXPECT_EQ(result.verify, Verify::kFirst);
  EXPECT_EQ(result.iterations, 7u);
  EXPECT_GT(result.p50_ns, 0u);
  EXPECT_LE(result.p50_ns, result.p99_ns);
  EXPECT_LE(result.p99_ns, result.max_ns);
  EXPECT_EQ(result.build_ns, asker.body().getGetCacheRsp().getBuildNanos());
  EXPECT_GT(result.first_read_ns, 0u);
  EXPECT_GT(result.read_all_ns, 0u);
  EXPECT_GT(result.verify_ns, 0u);
  EXPECT_GT(result.server_private_bytes, 0u);
  EXPECT_EQ(asker.asked(), 1 + 7 + 7);
}

TEST(MeasureTest, TimesSmallFilesAtLeastAThousandTimes) {
  FakeAsker asker(1'000'000);
  ASSERT_OK_AND_ASSIGN(const Result result, MeasureOne(asker, {}));
  EXPECT_GE(result.iterations, 1000u);
  EXPECT_LE(result.iterations, 200'000u);
}

TEST(MeasureTest, TakesFilesInTurn) {
  FakeAsker asker(100'001);
  const std::vector<std::string> files(kMaxFilesAtATime, "the file");
  ASSERT_OK_AND_ASSIGN(const std::vector<Result> results, Measure(asker, files, {.iterations = 3}));
  EXPECT_EQ(results.size(), kMaxFilesAtATime);
  for (const Result& result : results) EXPECT_EQ(result.iterations, 3u);
  EXPECT_THAT(Measure(asker, std::vector<std::string>(kMaxFilesAtATime + 1, "the file"), {}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(MeasureTest, ACorruptedPartIsAnErrorIfItIsLookedAt) {
  FakeAsker asker(100'001);
  asker.body().getGetCacheRsp().getFileParts()[1].getData()[5] ^= 1;
  EXPECT_THAT(MeasureOne(asker, {.iterations = 1}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("ask for file \"the file\": part 1 of the file")));
  asker.Release();
  EXPECT_OK(MeasureOne(asker, {.iterations = 1, .verify = Verify::kFirst}));
}

TEST(MeasureTest, AnAnswerThatChangesIsAnError) {
  FakeAsker asker(100'001);
  asker.Before(4, [&] { asker.body().getGetCacheRsp().getFileParts()[0].setHash(0); });
  EXPECT_THAT(MeasureOne(asker, {.iterations = 10}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the first part's hash differs")));
  EXPECT_EQ(asker.asked(), 4);
}

TEST(MeasureTest, TheServersErrorIsPassedOn) {
  FakeAsker asker(1);
  asker.Before(1, [&] { BuildError(absl::ResourceExhaustedError("full"), asker.body()); });
  EXPECT_THAT(MeasureOne(asker, {.iterations = 1}),
              StatusIs(absl::StatusCode::kResourceExhausted, "ask for file \"the file\": full"));
}

}  // namespace
}  // namespace cache_demo
