#include "doc/test_table.h"

#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// "K1", "N2".
bool IsId(absl::string_view text) {
  return text.size() >= 2 && absl::ascii_isupper(text[0]) && absl::ascii_isdigit(text[1]);
}

// The tests of a cell; every other part of what backticks divide is between two of them.
std::vector<NamedTest> TestsIn(absl::string_view cell) {
  std::vector<NamedTest> tests;
  std::string target;
  const std::vector<std::string> parts = absl::StrSplit(cell, '`');
  for (size_t i = 1; i < parts.size(); i += 2) {
    if (absl::StartsWith(parts[i], "//")) {
      target = parts[i];
    } else {
      tests.push_back({.target = target, .name = parts[i]});
    }
  }
  return tests;
}

}  // namespace

std::vector<TestTableRow> TestTableRows(absl::string_view markdown) {
  std::vector<TestTableRow> rows;
  for (const absl::string_view line : absl::StrSplit(markdown, '\n')) {
    const std::vector<absl::string_view> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5) continue;  // Before the first bar and after the last there is nothing.
    const absl::string_view id = absl::StripAsciiWhitespace(cells[1]);
    if (!IsId(id)) continue;
    rows.push_back({.id = std::string(id),
                    .tests = TestsIn(cells[3]),
                    .is_open = absl::StrContains(cells[2], "not yet") || absl::StrContains(cells[3], " open")});
  }
  return rows;
}

bool DefinesTest(absl::string_view source, absl::string_view name) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(name, '.');
  for (const char* const macro : {"TEST", "TEST_F", "TEST_P", "TYPED_TEST"}) {
    const std::string start = absl::StrCat("\n", macro, "(", parts.first, ",");
    for (size_t at = source.find(start); at != source.npos; at = source.find(start, at + 1)) {
      const absl::string_view rest = absl::StripLeadingAsciiWhitespace(source.substr(at + start.size()));
      if (absl::StartsWith(rest, absl::StrCat(parts.second, ")"))) return true;
    }
  }
  return false;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
