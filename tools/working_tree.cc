#include "tools/working_tree.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

namespace fs = std::filesystem;

fs::path WorkingTree() {
  const char* const module_file = std::getenv("MODULE_BAZEL");
  if (module_file == nullptr) std::abort();
  return fs::canonical(module_file).parent_path();
}

std::vector<std::string> FilesBelow(const fs::path& root) {
  const std::vector<std::string> ignored = LinesOf(root / ".bazelignore");
  const auto is_foreign = [&](const std::string& folder) {
    return folder.starts_with(".") || folder.starts_with("bazel-") ||
           std::find(ignored.begin(), ignored.end(), folder) != ignored.end();
  };
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator entry(root), end; entry != end; ++entry) {
    const std::string relative = entry->path().lexically_relative(root).string();
    if (entry->is_directory() && is_foreign(relative)) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back(relative);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> LinesOf(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
