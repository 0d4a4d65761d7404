#include "ipc_util/testing/namespaces.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr std::pair<int, const char*> kNames[] = {
    {CLONE_NEWPID, "pid"}, {CLONE_NEWIPC, "ipc"}, {CLONE_NEWNET, "net"}, {CLONE_NEWNS, "mount"}};

// The pid namespace begins with the next process.
void GoOnAsItsFirstProcess() {
  const pid_t first = fork();
  if (first < 0) std::abort();
  if (first == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return;
  }
  int status = 0;
  while (waitpid(first, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

}  // namespace

std::string EnterNamespaces(int flags) {
  // Its /proc must show its own processes.
  if ((flags & CLONE_NEWPID) != 0) flags |= CLONE_NEWNS;
  for (const auto& [flag, name] : kNames) {
    if ((flags & flag) != 0 && unshare(flag) != 0) {
      return absl::StrCat("a new ", name, " namespace: ", std::strerror(errno));
    }
  }
  if ((flags & CLONE_NEWNS) != 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return absl::StrCat("mounts of one's own: ", std::strerror(errno));
  }
  if ((flags & CLONE_NEWPID) != 0) {
    GoOnAsItsFirstProcess();
    if (mount("proc", "/proc", "proc", 0, nullptr) != 0) return absl::StrCat("another /proc: ", std::strerror(errno));
  }
  return "";
}

HiddenProc::HiddenProc(const std::string& folder) : folder_(folder) {
  if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, nullptr) != 0) std::abort();
}

HiddenProc::~HiddenProc() {
  if (umount2(folder_.c_str(), MNT_DETACH) != 0) std::abort();
}

bool SetNextPid(pid_t pid) {
  std::ofstream file("/proc/sys/kernel/ns_last_pid");
  file << pid - 1 << std::flush;
  return static_cast<bool>(file);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
