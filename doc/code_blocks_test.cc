#include "doc/code_blocks.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(CodeBlocksTest, FindsTheBlocksOfALanguage) {
  constexpr absl::string_view kMarkdown =
      "Text\n```cpp\nint a;\n\n  int b;\n```\n```\nno language\n```\n```cpp\nint c;\n```\n";
  EXPECT_THAT(CodeBlocks(kMarkdown, "cpp"), ElementsAre("int a;\n\n  int b;\n", "int c;\n"));
  EXPECT_THAT(CodeBlocks(kMarkdown, "text"), IsEmpty());
}

TEST(CodeBlocksTest, FindsSnippetsWithoutTheBlankLinesAround) {
  EXPECT_THAT(Snippets("int a;\n// [guide\n\nint b;\n\nint c;\n\n// guide]\nint d;\n// [guide\nint e;\n// guide]\n"),
              ElementsAre("int b;\n\nint c;\n", "int e;\n"));
}

TEST(CodeBlocksTest, AMissingFileIsEmpty) {
  EXPECT_EQ(FileNamedBy("NO_SUCH_VARIABLE"), "");
  EXPECT_THAT(FilesNamedBy("NO_SUCH_VARIABLE"), IsEmpty());
}

TEST(CodeBlocksTest, OneVariableNamesManyFiles) {
  ASSERT_EQ(setenv("FILES", "/dev/null  /proc/self/comm", 1), 0);
  EXPECT_THAT(FilesNamedBy("FILES"), ElementsAre("", Not(IsEmpty())));
}

}  // namespace
}  // namespace ipc::testing
