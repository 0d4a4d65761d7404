// The code that a document shows, for tests that hold it to what is compiled.

#ifndef SLUICE_DOC_CODE_BLOCKS_H_
#define SLUICE_DOC_CODE_BLOCKS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// The whole file that the environment variable names; "" if there is none.
std::string FileNamedBy(const char* variable);

// Each of the files that it names with blanks between them.
std::vector<std::string> FilesNamedBy(const char* variable);

// The fenced blocks of `language`, in order, without their fences.
std::vector<std::string> CodeBlocks(absl::string_view markdown, absl::string_view language);

// What a source has between a line `// [guide` and the next line `// guide]`, in order, without blank lines at the
// ends.
std::vector<std::string> Snippets(absl::string_view source);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_DOC_CODE_BLOCKS_H_
