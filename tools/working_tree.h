// The repository's own files, for checks of what is written in them. A test that reads them has the tag `external`:
// Bazel does not know that it depends on them.

#ifndef SLUICE_TOOLS_WORKING_TREE_H_
#define SLUICE_TOOLS_WORKING_TREE_H_

#include <filesystem>
#include <string>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// The repository's root: where the file really lies that $MODULE_BAZEL names, without which the program ends.
std::filesystem::path WorkingTree();

// All files below `root` as paths from there, sorted; without those of git and Bazel, and without the folders of
// .bazelignore, which are repositories of their own.
std::vector<std::string> FilesBelow(const std::filesystem::path& root);

// None if the file cannot be read.
std::vector<std::string> LinesOf(const std::filesystem::path& file);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_TOOLS_WORKING_TREE_H_
