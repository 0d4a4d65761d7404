#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

std::ifstream OpenFileOf(const char* variable) {
  const char* path = std::getenv(variable);
  std::ifstream file(path == nullptr ? "" : path);
  EXPECT_TRUE(file.is_open()) << variable;
  return file;
}

std::vector<std::string> Lines(std::ifstream file) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Each bazel_dep as "name version", with " dev" if it is a dev_dependency.
std::vector<std::string> ModuleDependencies() {
  static const std::regex kDependency(R"re(bazel_dep\(name = "([^"]+)", version = "([^"]+)"([^)]*)\))re");
  std::ifstream file = OpenFileOf("MODULE_BAZEL");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), kDependency), end; match != end; ++match) {
    const bool dev = (*match)[3].str().find("dev_dependency = True") != std::string::npos;
    found.push_back((*match)[1].str() + " " + (*match)[2].str() + (dev ? " dev" : ""));
  }
  return found;
}

TEST(VersionsTest, ModuleFileAgreesWithTheTable) {
  EXPECT_THAT(ModuleDependencies(), testing::UnorderedElementsAreArray(Lines(OpenFileOf("VERSIONS_TXT"))));
}

}  // namespace
