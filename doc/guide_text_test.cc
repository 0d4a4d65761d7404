// What guide.md shows is what is compiled and run.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "doc/code_blocks.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

MATCHER_P(PartOf, text, "is a part of the text") { return !arg.empty() && absl::StrContains(text, arg); }

// Appends the snippets of a source that must have some.
void AppendSnippets(const std::string& source, std::vector<std::string>& snippets) {
  const std::vector<std::string> found = Snippets(source);
  EXPECT_THAT(found, Not(IsEmpty())) << source;
  snippets.insert(snippets.end(), found.begin(), found.end());
}

TEST(GuideTextTest, ShowsWhatIsCompiled) {
  std::vector<std::string> compiled;
  for (const char* const sources : {"GUIDE_SOURCES", "STRUCTURED_EXAMPLES", "INDEX_EXAMPLE", "OWN_PIPE"}) {
    for (const std::string& source : FilesNamedBy(sources)) AppendSnippets(source, compiled);
  }
  // The guide has its own order.
  EXPECT_THAT(CodeBlocks(FileNamedBy("GUIDE"), "cpp"), UnorderedElementsAreArray(compiled));
}

TEST(GuideTextTest, TheCodeOfAPageIsShort) {
  std::vector<std::string> snippets;
  for (const char* const sources : {"STRUCTURED_EXAMPLES", "INDEX_EXAMPLE"}) {
    for (const std::string& source : FilesNamedBy(sources)) AppendSnippets(source, snippets);
  }
  for (const std::string& snippet : snippets) {
    EXPECT_LT(std::count(snippet.begin(), snippet.end(), '\n'), 25) << snippet;
  }
}

TEST(GuideTextTest, ShowsTheSchemas) {
  EXPECT_THAT(CodeBlocks(FileNamedBy("GUIDE"), "capnp"),
              ElementsAre(PartOf(FileNamedBy("GUIDE_SCHEMA")), PartOf(FileNamedBy("FILES_SCHEMA"))));
}

// Every section is in the table of contents, and nothing else is.
TEST(GuideTextTest, TheTableOfContentsIsComplete) {
  std::vector<std::string> sections;
  std::vector<std::string> listed;
  for (const absl::string_view line : absl::StrSplit(FileNamedBy("GUIDE"), '\n')) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "## ")) {
      const std::string anchor = absl::StrReplaceAll(absl::AsciiStrToLower(rest), {{" ", "-"}, {"'", ""}});
      sections.push_back(absl::StrCat("[", rest, "](#", anchor, ")"));
    }
    if (absl::ConsumePrefix(&rest, "  - [") && absl::StrContains(rest, "](#"))
      listed.push_back(absl::StrCat("[", rest));
  }
  EXPECT_EQ(listed, sections);
}

}  // namespace
}  // namespace ipc::testing
