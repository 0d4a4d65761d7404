// A peer in a process of its own: the test program runs itself again in a named role.
//
//   SLUICE_CHILD_ROLE(echo) {                          // The peer: what it returns is its exit code.
//     if (HearParent() == "go") TellParent("done");
//     return 0;
//   }
//   TEST(EchoTest, Answers) {                          // The main one.
//     Child child = Child::Start("echo", {"an argument"});
//     child.Tell("go");
//     EXPECT_EQ(child.Hear(), "done");
//     EXPECT_EQ(child.Wait(), 0);
//   }
//
// Link with `:test_main`, which runs the role instead of the tests where the program was started for one.

#ifndef SLUICE_IPC_UTIL_TESTING_CHILD_H_
#define SLUICE_IPC_UTIL_TESTING_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Owns a child process; kills and reaps it when destroyed. One thread. Failures to start or to talk end the program.
class Child {
 public:
  struct Options {
    // More of the environment, as "NAME=value".
    std::vector<std::string> environment;
    // A descriptor that the child finds as `InheritedFd()`.
    FdView inherited;
    // What is run, a copy of this program or a script that ends in one, and what that is told as its argv[0]. Empty:
    // this program.
    std::string program = {};
    std::string argv0 = {};
  };

  static Child Start(absl::string_view role, const std::vector<std::string>& arguments = {});
  static Child Start(absl::string_view role, const std::vector<std::string>& arguments, const Options& options);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }

  // One line to the child's `HearParent`, and one from its `TellParent`; "" when the child has gone or says nothing
  // within the time limit.
  void Tell(absl::string_view line);
  std::string Hear();

  void Kill();      // SIGKILL; returns when it is dead. Does nothing after `Kill` or `Wait`.
  void Stop();      // SIGSTOP; returns when it has stopped.
  void Continue();  // SIGCONT.

  // Returns when it has stopped by itself, as it does where it was told to (ipc_util/internal/os_testing.h).
  void WaitUntilStopped();

  // Returns when it has ended, by whatever; leaves it a zombie. Of its zombies every kernel tells a parent how they
  // ended (ipc_util/pid_fd.h), of those that were reaped only later ones.
  void WaitUntilEnded();

  // The exit code once the child has ended by itself, minus the signal's number if one ended it.
  int Wait();

 private:
  void Signal(int signal);

  Child(pid_t pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_;
  Fd socket_;
};

// In the child: the parent's side of `Tell` and `Hear`.
void TellParent(absl::string_view line);
std::string HearParent();

// In the child: what the parent let it inherit, once; invalid if nothing.
Fd InheritedFd();

using RoleFunction = int (*)(const std::vector<std::string>& arguments);

// Runs the role that this process was started for, and exits; returns if it was started for none.
void RunRoleIfChild(int argc, char** argv);

namespace internal {
struct RoleRegistration {
  RoleRegistration(absl::string_view role, RoleFunction function);
};
}  // namespace internal

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// The body of a peer; `arguments` are those of `Child::Start`.
#define SLUICE_CHILD_ROLE(role)                                                                          \
  static int SluiceRole_##role(const std::vector<std::string>& arguments);                               \
  static const ::ipc::testing::internal::RoleRegistration sluice_role_##role(#role, &SluiceRole_##role); \
  static int SluiceRole_##role([[maybe_unused]] const std::vector<std::string>& arguments)

#endif  // SLUICE_IPC_UTIL_TESTING_CHILD_H_
