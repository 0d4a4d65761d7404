// Namespaces of a child's own, and what it has of /proc there. They need CAP_SYS_ADMIN, and `no_sandbox`.

#ifndef SLUICE_IPC_UTIL_TESTING_NAMESPACES_H_
#define SLUICE_IPC_UTIL_TESTING_NAMESPACES_H_

#include <sys/types.h>

#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Puts this process, a child with one thread, into namespaces of its own: CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWNET or
// CLONE_NEWNS, combined. What it mounts is not seen outside.
// With CLONE_NEWPID it returns in a forked process, number 1 of the namespace and with its own /proc; this one waits
// for that and ends as it does. Returns "", or what the kernel refused, for a loud skip: "a new pid namespace:
// Operation not permitted".
std::string EnterNamespaces(int flags);

// As if nothing were mounted at `folder` below /proc, or at /proc itself, as long as it lives: sanitizers want to see
// /proc in the end. Needs CLONE_NEWNS.
class HiddenProc {
 public:
  explicit HiddenProc(const std::string& folder = "/proc");
  ~HiddenProc();
  HiddenProc(const HiddenProc&) = delete;
  HiddenProc& operator=(const HiddenProc&) = delete;

 private:
  const std::string folder_;
};

// The next process of this pid namespace gets the number `pid`, if that is free. False: the kernel has no such means.
bool SetNextPid(pid_t pid);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_NAMESPACES_H_
