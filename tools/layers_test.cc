// The check behind layers.bzl: the answers to its queries, labels a line, are what its table says.

#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/working_tree.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

using Names = std::set<std::string>;

// Bazel's own, and the target that demands C++20: no libraries.
const Names& Machinery() {
  static const Names kMachinery = {"//bazel", "bazel_skylib", "bazel_tools", "platforms", "rules_cc"};
  return kMachinery;
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A package of ours without what only it may use: "//ipc_util" of "//ipc_util/internal:os".
std::string OwnPackage(const std::string& label) {
  std::string package = label.substr(0, label.find(':'));
  for (const std::string_view part : {"/internal", "/testing"}) package = package.substr(0, package.find(part));
  return package;
}

// The name of a label's repository, without what Bazel's module system adds to it; "" for our own.
std::string Repository(const std::string& label) {
  const std::string name = label.substr(0, label.find("//"));
  const size_t begin = name.find_first_not_of('@');
  return begin == std::string::npos ? "" : name.substr(begin, name.find_first_of("~+") - begin);
}

struct Table {
  std::map<std::string, std::string> modules;  // By the repository's name.
  std::vector<std::string> layers;             // These and the libraries in the order of the answers.
  std::vector<std::string> libraries;
  std::map<std::string, Names> names;  // What a layer reaches, and what a library needs.
};

Table ReadTable() {
  Table table;
  for (const std::string& line : LinesOf(Variable("TABLE"))) {
    const std::vector<std::string> words = Words(line);
    if (words[0] == "repository") table.modules[words[1]] = words[2];
    if (words[0] == "layer") table.layers.push_back(words[1]);
    if (words[0] == "library") table.libraries.push_back(words[1]);
    if (words[0] == "layer" || words[0] == "library") table.names[words[1]] = Names(words.begin() + 2, words.end());
  }
  return table;
}

// Libraries and packages of the labels in `answer`.
Names NamesIn(const std::vector<std::string>& answer, const std::map<std::string, std::string>& modules) {
  Names names;
  for (const std::string& label : answer) {
    std::string name = Repository(label);
    if (name.empty()) {
      name = OwnPackage(label.substr(label.find("//")));
    } else if (const auto module = modules.find(name); module != modules.end()) {
      name = module->second;
    }
    if (!Machinery().contains(name)) names.insert(name);
  }
  return names;
}

// The library that a package of one belongs to.
std::string Library(const std::string& package) { return package.substr(2, package.find('/', 2) - 2); }

std::string Listed(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += " " + name;
  return text;
}

TEST(LayersTableTest, ReadsLabels) {
  EXPECT_THAT(NamesIn({"//ipc_util:fd", "//ipc_util/internal:os.h", "@com_google_absl//absl/time:time",
                       "@@abseil-cpp~//absl/status:status", "@@abseil-cpp+//absl/status:status",
                       "//ipc_transport/structured/internal:record", "@boost.interprocess//:boost.interprocess",
                       "@@rules_cc~//cc:defs", "//bazel:require_cpp20", "@//third_party/jemalloc:jemalloc"},
                      {{"com_google_absl", "abseil-cpp"}}),
              ElementsAre("//ipc_transport/structured", "//ipc_util", "//third_party/jemalloc", "abseil-cpp",
                          "boost.interprocess"));
}

class LayersTest : public ::testing::Test {
 protected:
  LayersTest() {
    EXPECT_EQ(answers_.size(), table_.layers.size() + table_.libraries.size());
    answers_.resize(table_.layers.size() + table_.libraries.size());
  }

  // The libraries and packages in an answer.
  Names Answer(size_t index) {
    const std::vector<std::string> labels = LinesOf(answers_[index]);
    EXPECT_THAT(labels, Not(IsEmpty()));
    return NamesIn(labels, table_.modules);
  }

  const Table table_ = ReadTable();
  std::vector<std::string> answers_ = Words(Variable("ANSWERS"));
};

TEST_F(LayersTest, EachReachesWhatTheTableSays) {
  for (size_t i = 0; i < table_.layers.size(); ++i) {
    const std::string& layer = table_.layers[i];
    Names reached = Answer(i);
    reached.erase(OwnPackage(layer));
    std::cout << layer << ":" << Listed(reached) << "\n";
    EXPECT_EQ(reached, table_.names.at(layer)) << layer << ", see tools/layers.bzl";
  }
}

TEST_F(LayersTest, LibrariesNeedWhatTheyName) {
  for (size_t i = 0; i < table_.libraries.size(); ++i) {
    const std::string& library = table_.libraries[i];
    Names named;
    for (const std::string& name : Answer(table_.layers.size() + i)) {
      if (name.starts_with("//ipc_")) named.insert(Library(name));
    }
    named.erase(library);
    std::cout << library << ":" << Listed(named) << "\n";
    EXPECT_EQ(named, table_.names.at(library)) << library << ", see NEEDS in its version.bzl";
  }
}

}  // namespace
}  // namespace ipc::testing
