#include "perf_demo/plot.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "perf_demo/report.h"
#include "perf_demo/write_file.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Two sizes in each of `modes`.
Report ReportOf(std::initializer_list<Mode> modes) {
  Report report;
  for (const Mode mode : modes) {
    report.results.push_back({.mode = mode, .file = "100KB", .bytes = 100'000, .p50_ns = 62'000});
    report.results.push_back({.mode = mode, .file = "1GB", .bytes = 1'000'000'000, .p50_ns = 99'000'000});
  }
  return report;
}

TEST(PlotTest, DrawsTheModesThatThereAre) {
  const TempDir folder;
  ASSERT_OK(WriteFile(folder.path() + "/results.tsv", ToTsv(ReportOf({Mode::kSocket, Mode::kClassic}))));
  ASSERT_OK(DrawPlot(folder.path()));
  EXPECT_THAT(ContentOf(folder.path() + "/plot.png"), StartsWith("\x89PNG"));
  const std::string svg = ContentOf(folder.path() + "/plot.svg");
  EXPECT_THAT(svg, HasSubstr("size of the file"));
  EXPECT_THAT(svg, HasSubstr("Cap'n Proto over a Unix socket"));
  EXPECT_THAT(svg, HasSubstr("session, classic arena"));
  EXPECT_THAT(svg, Not(HasSubstr("heap")));
}

TEST(PlotTest, AFolderWithAQuoteInItsName) {
  const TempDir folder;
  const std::string path = folder.path() + "/it's \"here\"";
  ASSERT_OK(MakeFolder(path));
  ASSERT_OK(WriteFile(path + "/results.tsv", ToTsv(ReportOf({Mode::kHeap}))));
  ASSERT_OK(DrawPlot(path));
  EXPECT_TRUE(std::filesystem::exists(path + "/plot.png"));
}

TEST(PlotTest, WithoutResultsItFails) {
  const TempDir folder;
  EXPECT_THAT(DrawPlot(folder.path()), Not(IsOk()));
}

}  // namespace
}  // namespace cache_demo
