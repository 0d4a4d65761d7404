#include "ipc_util/testing/temp_dir.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

TempDir::TempDir() : path_("/tmp/sluice.XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr || chmod(path_.c_str(), 0755) != 0) std::abort();
}

TempDir::~TempDir() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
