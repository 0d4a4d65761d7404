// Signals without end, which interrupt whatever system call a process waits in.

#ifndef SLUICE_IPC_UTIL_TESTING_SIGNAL_STORM_H_
#define SLUICE_IPC_UTIL_TESTING_SIGNAL_STORM_H_

#include <signal.h>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// A SIGALRM each millisecond, with a handler that restarts nothing. One at a time. It takes the timer of alarm(2), so
// that the limit of a test program no longer holds: for a child.
class SignalStorm {
 public:
  SignalStorm();
  ~SignalStorm();
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

  // How many came.
  int signals() const;

 private:
  struct sigaction before_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_SIGNAL_STORM_H_
