// Each library has its version, is known to bazel/libraries.bzl, and keeps a list of changes.

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/working_tree.h"

namespace ipc::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Eq;

// What follows "## " in the first such line, or "".
std::string NewestHeading(const std::vector<std::string>& changes) {
  for (const std::string& line : changes) {
    if (line.starts_with("## ")) return line.substr(3);
  }
  return "";
}

// The words of $LIBRARIES: "ipc_util=0.1.0" and so on.
std::set<std::string> KnownLibraries() {
  const char* const list = std::getenv("LIBRARIES");
  std::istringstream stream(list == nullptr ? "" : list);
  std::set<std::string> libraries;
  for (std::string library; stream >> library;) libraries.insert(library);
  return libraries;
}

TEST(LibrariesTest, AllAreKnown) {
  const fs::path root = WorkingTree();
  std::set<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("ipc_")) continue;
    std::string version = "no version.bzl";
    static const std::regex kVersion(R"re(VERSION = "([0-9]+\.[0-9]+\.[0-9]+)")re");
    for (const std::string& line : LinesOf(entry.path() / "version.bzl")) {
      std::smatch match;
      if (std::regex_match(line, match, kVersion)) version = match[1].str();
    }
    found.insert(name + "=" + version);
  }
  EXPECT_EQ(found, KnownLibraries());
}

TEST(LibrariesTest, NewestChangesAreUnreleasedOrOfTheVersion) {
  ASSERT_THAT(KnownLibraries(), Contains(::testing::StartsWith("ipc_util=")));
  for (const std::string& library : KnownLibraries()) {
    const size_t split = library.find('=');
    const std::vector<std::string> changes = LinesOf(WorkingTree() / library.substr(0, split) / "CHANGELOG.md");
    EXPECT_THAT(NewestHeading(changes), AnyOf(Eq("unreleased"), Eq(library.substr(split + 1)))) << library;
    EXPECT_THAT(changes, Contains("# Changes of " + library.substr(0, split)));
  }
}

}  // namespace
}  // namespace ipc::testing
