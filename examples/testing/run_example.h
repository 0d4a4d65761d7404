// Runs an example as a user does.

#ifndef SLUICE_EXAMPLES_TESTING_RUN_EXAMPLE_H_
#define SLUICE_EXAMPLES_TESTING_RUN_EXAMPLE_H_

#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct ExampleRun {
  int exit_code = -1;
  std::string output;  // What it printed to both of its outputs.
};

// Runs the program that the environment variable EXAMPLE names, with `arguments` as a shell takes them. An example has
// one server on the machine, so runs take turns, those of other processes included.
ExampleRun RunExample(const std::string& arguments);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_EXAMPLES_TESTING_RUN_EXAMPLE_H_
