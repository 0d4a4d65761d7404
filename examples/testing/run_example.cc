#include "examples/testing/run_example.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

ExampleRun RunExample(const std::string& arguments) {
  const Fd turn(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!turn.valid() || flock(turn.get(), LOCK_EX) != 0) return {.output = "no turn"};
  FILE* const output = popen(absl::StrCat(std::getenv("EXAMPLE"), " ", arguments, " 2>&1").c_str(), "r");
  if (output == nullptr) return {.output = "not started"};
  ExampleRun run;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) run.output += static_cast<char>(c);
  const int status = pclose(output);
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
