#include "doc/code_blocks.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// What lies between lines `begin` and `end`.
std::vector<std::string> Between(absl::string_view text, absl::string_view begin, absl::string_view end) {
  std::vector<std::string> blocks;
  bool inside = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!inside && line == begin) {
      inside = true;
      blocks.emplace_back();
    } else if (inside && line == end) {
      inside = false;
    } else if (inside) {
      absl::StrAppend(&blocks.back(), line, "\n");
    }
  }
  return blocks;
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

std::string FileNamedBy(const char* variable) {
  const char* const path = std::getenv(variable);
  return path == nullptr ? "" : ContentOf(path);
}

std::vector<std::string> FilesNamedBy(const char* variable) {
  std::vector<std::string> files;
  const char* const paths = std::getenv(variable);
  if (paths == nullptr) return files;
  for (const absl::string_view path : absl::StrSplit(paths, ' ', absl::SkipEmpty())) {
    files.push_back(ContentOf(std::string(path)));
  }
  return files;
}

std::vector<std::string> CodeBlocks(absl::string_view markdown, absl::string_view language) {
  return Between(markdown, absl::StrCat("```", language), "```");
}

std::vector<std::string> Snippets(absl::string_view source) {
  std::vector<std::string> snippets = Between(source, "// [guide", "// guide]");
  for (std::string& snippet : snippets) {
    snippet = absl::StrCat(absl::StripAsciiWhitespace(snippet), "\n");
  }
  return snippets;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
