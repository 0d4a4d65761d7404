// What a document's table names is there: every id, and every test.

#include <cstddef>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "doc/code_blocks.h"
#include "doc/test_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> WordsOf(const char* variable) {
  const char* const text = std::getenv(variable);
  return absl::StrSplit(text == nullptr ? "" : text, ' ', absl::SkipEmpty());
}

class NamedTestsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> targets = WordsOf("TESTS");
    const std::vector<std::string> sources = FilesNamedBy("TEST_SOURCES");
    ASSERT_THAT(targets, Not(IsEmpty()));
    ASSERT_EQ(targets.size(), sources.size());
    for (size_t i = 0; i < targets.size(); ++i) sources_[targets[i]] = sources[i];
    ASSERT_THAT(rows_, Not(IsEmpty()));
  }

  const std::vector<TestTableRow> rows_ = TestTableRows(FileNamedBy("DOCUMENT"));
  const std::string conformance_ = absl::StrJoin(FilesNamedBy("CONFORMANCE_SOURCES"), "\n");
  std::map<std::string, std::string> sources_;  // Of each target.
};

TEST_F(NamedTestsTest, EveryIdIsThereOnceAndInOrder) {
  std::vector<std::string> due;
  for (const std::string& last : WordsOf("LAST_IDS")) {
    int count = 0;
    ASSERT_TRUE(absl::SimpleAtoi(absl::string_view(last).substr(1), &count)) << last;
    for (int i = 1; i <= count; ++i) due.push_back(absl::StrCat(last.substr(0, 1), i));
  }
  ASSERT_THAT(due, Not(IsEmpty()));
  std::vector<std::string> found;
  for (const TestTableRow& row : rows_) found.push_back(row.id);
  EXPECT_THAT(found, ElementsAreArray(due));
}

TEST_F(NamedTestsTest, EveryIdHasATestOrIsOpen) {
  for (const TestTableRow& row : rows_) EXPECT_TRUE(row.is_open || !row.tests.empty()) << row.id;
}

TEST_F(NamedTestsTest, EveryTestIsThere) {
  for (const TestTableRow& row : rows_) {
    for (const auto& [target, name] : row.tests) {
      SCOPED_TRACE(absl::StrCat(row.id, ": ", target, " ", name));
      const auto source = sources_.find(target);
      if (source == sources_.end()) {
        ADD_FAILURE() << "the target is not in the list of doc/named_tests.bzl";
        continue;
      }
      // Conformance tests are in a library, whose header the target includes.
      absl::string_view kind = name;
      kind = kind.substr(0, kind.find('.'));
      if (absl::ConsumeSuffix(&kind, "Conformance")) {
        const std::string words = absl::StrReplaceAll(source->second, {{"_", ""}});
        EXPECT_TRUE(absl::StrContains(words, absl::StrCat(absl::AsciiStrToLower(kind), "conformance.h\"")));
        EXPECT_TRUE(DefinesTest(conformance_, name));
      } else {
        EXPECT_TRUE(DefinesTest(source->second, name));
      }
    }
  }
}

TEST_F(NamedTestsTest, NoTargetIsListedInVain) {
  std::set<std::string> named;
  for (const TestTableRow& row : rows_) {
    for (const NamedTest& test : row.tests) named.insert(test.target);
  }
  for (const auto& [target, source] : sources_) EXPECT_EQ(named.count(target), 1u) << target;
}

}  // namespace
}  // namespace ipc::testing
