// What reliability.md names is there: every id of faults and attacks, and every test.

#include <cstddef>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "doc/code_blocks.h"
#include "doc/reliability_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Not;

// How many ids each letter has.
constexpr std::pair<char, int> kIds[] = {{'K', 10}, {'S', 4}, {'R', 6}, {'M', 7}, {'D', 3}, {'H', 6},
                                         {'A', 6},  {'V', 2}, {'B', 6}, {'P', 5}, {'N', 2}};

std::vector<std::string> WordsOf(const char* variable) {
  const char* const text = std::getenv(variable);
  return absl::StrSplit(text == nullptr ? "" : text, ' ', absl::SkipEmpty());
}

class ReliabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> targets = WordsOf("TESTS");
    const std::vector<std::string> sources = FilesNamedBy("TEST_SOURCES");
    ASSERT_THAT(targets, Not(IsEmpty()));
    ASSERT_EQ(targets.size(), sources.size());
    for (size_t i = 0; i < targets.size(); ++i) sources_[targets[i]] = sources[i];
    ASSERT_THAT(rows_, Not(IsEmpty()));
  }

  const std::vector<ReliabilityRow> rows_ = ReliabilityRows(FileNamedBy("RELIABILITY"));
  const std::string conformance_ = absl::StrJoin(FilesNamedBy("CONFORMANCE_SOURCES"), "\n");
  std::map<std::string, std::string> sources_;  // Of each target.
};

TEST_F(ReliabilityTest, EveryIdIsThereOnceAndInOrder) {
  std::vector<std::string> due;
  for (const auto& [letter, count] : kIds) {
    for (int i = 1; i <= count; ++i) due.push_back(absl::StrCat(std::string(1, letter), i));
  }
  std::vector<std::string> found;
  for (const ReliabilityRow& row : rows_) found.push_back(row.id);
  EXPECT_THAT(found, ElementsAreArray(due));
}

TEST_F(ReliabilityTest, EveryIdHasATestOrIsOpen) {
  for (const ReliabilityRow& row : rows_) EXPECT_TRUE(row.is_open || !row.tests.empty()) << row.id;
}

TEST_F(ReliabilityTest, EveryTestIsThere) {
  for (const ReliabilityRow& row : rows_) {
    for (const auto& [target, name] : row.tests) {
      SCOPED_TRACE(absl::StrCat(row.id, ": ", target, " ", name));
      const auto source = sources_.find(target);
      if (source == sources_.end()) {
        ADD_FAILURE() << "the target is not in _RELIABILITY_TESTS of doc/BUILD.bazel";
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

TEST_F(ReliabilityTest, NoTargetIsListedInVain) {
  std::set<std::string> named;
  for (const ReliabilityRow& row : rows_) {
    for (const NamedTest& test : row.tests) named.insert(test.target);
  }
  for (const auto& [target, source] : sources_) EXPECT_EQ(named.count(target), 1u) << target;
}

}  // namespace
}  // namespace ipc::testing
