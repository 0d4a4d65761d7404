// What BUILD files make public is what public_targets.bzl lists, and the examples get by with that.

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/working_tree.h"

namespace ipc::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Not;

using Lines = std::vector<std::string>;

// Public targets of a BUILD file, as buildifier writes it: each attribute in lines of its own, `name` first. Files that
// are exported to all count; what sluice_version() makes is called :version.
Lines PublicTargets(const std::string& package, const Lines& build_file) {
  static const std::regex kName(R"re(\s*name = "?([^",]+)"?,)re");
  Lines found;
  std::string name;
  bool exports = false;
  for (const std::string& line : build_file) {
    std::smatch match;
    if (std::regex_match(line, match, kName)) name = match[1].str();
    if (line == "sluice_version()") found.push_back("//" + package + ":version");
    if (line.starts_with("exports_files(")) {
      exports = true;
      name = line;
    }
    if (exports && line.find("visibility = ") != std::string::npos) exports = false;
    if (line.find("\"//visibility:public\"") != std::string::npos) found.push_back("//" + package + ":" + name);
    if (exports && line.ends_with(')')) {
      found.push_back("//" + package + ":" + name);
      exports = false;
    }
  }
  return found;
}

// Of Sluice's libraries, what a BUILD file names and is not `allowed`: neither a helper of tests nor a test.
Lines OtherThanPublic(const Lines& build_file, const std::set<std::string>& allowed) {
  static const std::regex kLabel(R"re("(//ipc_[a-z_/]*:[^"]+)")re");
  static const std::regex kOfTests(R"re(.*(/testing:.*|_test|_conformance\.cc|_conformance_[a-z]+\.cc))re");
  Lines found;
  for (const std::string& line : build_file) {
    for (std::sregex_iterator match(line.begin(), line.end(), kLabel), end; match != end; ++match) {
      const std::string label = (*match)[1].str();
      if (!allowed.contains(label) && !std::regex_match(label, kOfTests)) found.push_back(label);
    }
  }
  return found;
}

// All BUILD files of the working tree, as paths from its root.
Lines BuildFiles() {
  Lines found;
  for (const std::string& file : FilesBelow(WorkingTree())) {
    if (fs::path(file).filename() == "BUILD.bazel") found.push_back(file);
  }
  return found;
}

Lines ListedTargets() {
  const char* const list = std::getenv("PUBLIC_TARGETS");
  return list == nullptr ? Lines() : LinesOf(list);
}

TEST(PublicTargetsTest, FindsThem) {
  const Lines kBuildFile = {
      "sluice_version()",
      "exports_files([\"a.cc\"])",
      "exports_files(",
      "    [\"b.cc\"],",
      "    visibility = [\"//doc:__pkg__\"],",
      ")",
      "cc_library(",
      "    name = \"mine\",",
      "    deps = [\"//ipc_util:fd\"],",
      ")",
      "cc_library(",
      "    name = \"yours\",",
      "    visibility = [\"//visibility:public\"],",
      "    deps = [\"//ipc_util/internal:os\", \"//ipc_util/testing:child\"],",
      ")",
  };
  EXPECT_THAT(PublicTargets("a/b", kBuildFile),
              ElementsAre("//a/b:version", "//a/b:exports_files([\"a.cc\"])", "//a/b:yours"));
  EXPECT_THAT(OtherThanPublic(kBuildFile, {"//ipc_util:fd"}), ElementsAre("//ipc_util/internal:os"));
}

TEST(PublicTargetsTest, AreThoseOfTheTable) {
  const Lines files = BuildFiles();
  ASSERT_THAT(files, Contains("tools/BUILD.bazel"));
  std::set<std::string> found;
  for (const std::string& file : files) {
    const Lines lines = LinesOf(WorkingTree() / file);
    // A default would be that of targets which nobody looked at.
    EXPECT_THAT(lines, Not(Contains(::testing::HasSubstr("default_visibility")))) << file;
    for (const std::string& target : PublicTargets(fs::path(file).parent_path().string(), lines)) found.insert(target);
  }
  EXPECT_THAT(found, ElementsAreArray(ListedTargets())) << "see tools/public_targets.bzl";
}

TEST(PublicTargetsTest, SufficeForTheExamplesAndTheGuide) {
  const Lines listed = ListedTargets();
  const std::set<std::string> allowed(listed.begin(), listed.end());
  for (const std::string& file : BuildFiles()) {
    if (!file.starts_with("examples/") && !file.starts_with("doc/")) continue;
    EXPECT_THAT(OtherThanPublic(LinesOf(WorkingTree() / file), allowed), IsEmpty()) << file;
  }
}

}  // namespace
}  // namespace ipc::testing
