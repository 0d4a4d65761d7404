#include "perf_demo/file_source.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

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
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Content(const File& file) {
  std::string content(file.bytes(), '\0');
  EXPECT_OK(file.Read(0, absl::MakeSpan(reinterpret_cast<std::byte*>(content.data()), content.size())));
  return content;
}

TEST(FileSourceTest, MadeFilesAreNamedBySize) {
  const FileSource source = FileSource::OfSizes({100'000, 7});
  EXPECT_THAT(source.entries(),
              ElementsAre(Field(&FileSource::Entry::name, "100KB"), Field(&FileSource::Entry::name, "7B")));
  EXPECT_EQ(source.total_bytes(), 100'007u);
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("7B"));
  EXPECT_EQ(file.name(), "7B");
  EXPECT_EQ(Content(file).size(), 7u);
}

TEST(FileSourceTest, MadeContentIsTheSameEachTimeAndDiffersBySize) {
  const FileSource source = FileSource::OfSizes({1001, 1002});
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("1001B"));
  ASSERT_OK_AND_ASSIGN(const File again, source.Open("1001B"));
  ASSERT_OK_AND_ASSIGN(const File other, source.Open("1002B"));
  const std::string content = Content(file);
  EXPECT_EQ(content, Content(again));
  EXPECT_NE(content, Content(other).substr(0, content.size()));
  EXPECT_NE(content.substr(0, 500), content.substr(496, 500));
}

TEST(FileSourceTest, MadeContentIsReadInPieces) {
  const FileSource source = FileSource::OfSizes({1001});
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("1001B"));
  std::vector<std::byte> piece(401);
  ASSERT_OK(file.Read(600, absl::MakeSpan(piece)));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(piece.data()), piece.size()), Content(file).substr(600));
}

TEST(FileSourceTest, AFolderGivesItsFilesTheSmallestFirst) {
  const TempDir folder;
  std::ofstream(folder.path() + "/large") << "0123456789";
  std::ofstream(folder.path() + "/small") << "abc";
  std::ofstream(folder.path() + "/empty");
  std::filesystem::create_directory(folder.path() + "/folder");
  std::filesystem::create_symlink(folder.path() + "/large", folder.path() + "/link");
  ASSERT_OK_AND_ASSIGN(const FileSource source, FileSource::OfFolder(folder.path()));
  EXPECT_THAT(source.entries(),
              ElementsAre(Field(&FileSource::Entry::name, "empty"), Field(&FileSource::Entry::name, "small"),
                          Field(&FileSource::Entry::name, "large")));
  EXPECT_EQ(source.total_bytes(), 13u);
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("large"));
  EXPECT_EQ(Content(file), "0123456789");
}

TEST(FileSourceTest, UnknownFilesAreRefusedWithThoseThereAre) {
  EXPECT_THAT(FileSource::OfSizes({1000, 7}).Open("../secret"),
              StatusIs(kInvalid, "there is no file \"../secret\"; there are: 1KB, 7B"));
  std::vector<uint64_t> many;
  for (uint64_t bytes = 1; bytes <= 11; ++bytes) many.push_back(bytes);
  EXPECT_THAT(FileSource::OfSizes(many).Open("x\n").status(), StatusIs(kInvalid, HasSubstr("\"x\\n\"")));
  EXPECT_THAT(FileSource::OfSizes(many).Open("x").status(), StatusIs(kInvalid, HasSubstr("10B, ...")));
}

TEST(FileSourceTest, BadFoldersAreRefused) {
  const TempDir folder;
  EXPECT_THAT(FileSource::OfFolder(folder.path()), StatusIs(kInvalid, HasSubstr("has no files")));
  EXPECT_THAT(FileSource::OfFolder(folder.path() + "/none"), StatusIs(absl::StatusCode::kUnavailable));
  std::ofstream(folder.path() + "/a\tb") << "x";
  EXPECT_THAT(FileSource::OfFolder(folder.path()), StatusIs(kInvalid, HasSubstr("a\\tb")));
}

TEST(FileSourceTest, AFileThatIsTooLargeIsRefused) {
  const TempDir folder;
  const std::string path = folder.path() + "/huge";
  std::ofstream(path) << "x";
  ASSERT_EQ(truncate(path.c_str(), 100'000'000'000), 0);
  EXPECT_OK(FileSource::OfFolder(folder.path()));
  ASSERT_EQ(truncate(path.c_str(), 100'000'000'001), 0);
  EXPECT_THAT(FileSource::OfFolder(folder.path()), StatusIs(kInvalid, HasSubstr("at most 100GB")));
}

TEST(FileSourceTest, AFileThatShrinksIsNoticed) {
  const TempDir folder;
  const std::string path = folder.path() + "/file";
  std::ofstream(path) << "0123456789";
  ASSERT_OK_AND_ASSIGN(const FileSource source, FileSource::OfFolder(folder.path()));
  ASSERT_OK_AND_ASSIGN(const File file, source.Open("file"));
  ASSERT_EQ(truncate(path.c_str(), 4), 0);
  std::vector<std::byte> buffer(10);
  EXPECT_THAT(file.Read(0, absl::MakeSpan(buffer)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("had 10 bytes and ends at 4 now")));
}

TEST(FileSourceTest, AFileThatIsReplacedByALinkIsNotFollowed) {
  const TempDir folder;
  const std::string path = folder.path() + "/file";
  std::ofstream(path) << "0123456789";
  ASSERT_OK_AND_ASSIGN(const FileSource source, FileSource::OfFolder(folder.path()));
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/etc/passwd", path);
  EXPECT_FALSE(source.Open("file").ok());
}

}  // namespace
}  // namespace cache_demo
