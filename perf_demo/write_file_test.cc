#include "perf_demo/write_file.h"

#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TempDir;
using ::testing::HasSubstr;

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(WriteFileTest, MakesAndReplaces) {
  const TempDir folder;
  const std::string path = folder.path() + "/file";
  ASSERT_OK(WriteFile(path, "the first, a longer one"));
  ASSERT_OK(WriteFile(path, "the second"));
  EXPECT_EQ(ContentOf(path), "the second");
}

TEST(WriteFileTest, FailuresNameThePath) {
  EXPECT_THAT(WriteFile("/no/such/folder/file", "x"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/no/such/folder/file")));
  if (WriteFile("/dev/full", "x").ok()) FAIL() << "a full device took a file";
}

TEST(MakeFolderTest, MakesWhatIsMissing) {
  const TempDir folder;
  const std::string path = folder.path() + "/a/b";
  ASSERT_OK(MakeFolder(path));
  ASSERT_OK(MakeFolder(path));
  ASSERT_OK(WriteFile(path + "/file", "x"));
  EXPECT_THAT(MakeFolder(path + "/file"), ::testing::Not(IsOk()));
}

}  // namespace
}  // namespace cache_demo
