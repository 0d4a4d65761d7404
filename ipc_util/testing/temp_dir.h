// A folder with a short name, for sockets: their paths have at most 107 bytes, and a test's own folder is deeper.

#ifndef SLUICE_IPC_UTIL_TESTING_TEMP_DIR_H_
#define SLUICE_IPC_UTIL_TESTING_TEMP_DIR_H_

#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Made with mode 0755, removed with what is in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_TEMP_DIR_H_
