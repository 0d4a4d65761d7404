// A process that runs a given file, for tests of what the system says of it.

#ifndef SLUICE_IPC_UTIL_TESTING_RUNNING_FILE_H_
#define SLUICE_IPC_UTIL_TESTING_RUNNING_FILE_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Killed and reaped when destroyed.
class RunningFile {
 public:
  // Returns when the file runs. `arguments` begin with the name that it is to have. Ends the program where that fails.
  RunningFile(const std::string& path, const std::vector<std::string>& arguments);
  ~RunningFile();
  RunningFile(const RunningFile&) = delete;
  RunningFile& operator=(const RunningFile&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_RUNNING_FILE_H_
