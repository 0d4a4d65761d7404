#include "ipc_util/testing/temp_dir.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

TEST(TempDirTest, IsMadeForAllToEnterAndRemovedWithItsContent) {
  std::string path;
  {
    const TempDir folder;
    path = folder.path();
    struct stat found;
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_TRUE(S_ISDIR(found.st_mode));
    EXPECT_EQ(found.st_mode & 07777, 0755u);
    std::filesystem::create_directory(path + "/inside");
    std::ofstream(path + "/inside/file") << "text";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDirTest, HasAShortNameOfItsOwn) {
  const TempDir first;
  const TempDir second;
  EXPECT_NE(first.path(), second.path());
  EXPECT_LT(first.path().size(), 50u);
}

}  // namespace
}  // namespace ipc::testing
