// Tables of documents that say which tests prove what: reliability.md, features.md.

#ifndef SLUICE_DOC_TEST_TABLE_H_
#define SLUICE_DOC_TEST_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// A test, as "//ipc_session:fork_test" and "ForkTest.AChildIsNoServer".
struct NamedTest {
  std::string target;
  std::string name;

  friend bool operator==(const NamedTest&, const NamedTest&) = default;
};

struct TestTableRow {
  std::string id;
  std::vector<NamedTest> tests;
  bool is_open = false;  // Says "not yet", or in the place of tests "open" and who owes it.
};

// The rows of all tables in `markdown`, in order: | id | what | `//target` `Suite.Name`, `Suite.Name`; `//other` ... |
std::vector<TestTableRow> TestTableRows(absl::string_view markdown);

// Whether `source` defines the test `name`, "Suite.Name", with any of GoogleTest's macros.
bool DefinesTest(absl::string_view source, absl::string_view name);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_DOC_TEST_TABLE_H_
