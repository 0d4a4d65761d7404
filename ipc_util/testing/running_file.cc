#include "ipc_util/testing/running_file.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>

extern char** environ;

namespace ipc {
inline namespace sluice_0 {
namespace testing {

RunningFile::RunningFile(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  // posix_spawn(3) returns after the exec.
  if (posix_spawn(&pid_, path.c_str(), nullptr, nullptr, pointers.data(), environ) != 0) std::abort();
}

RunningFile::~RunningFile() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
