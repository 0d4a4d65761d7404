// The testing half of the OS seam (os.h): makes chosen calls fail or stop short, and acts at named points.
//
//   OsTesting os({FailCall("Accept", EMFILE, {.first = 2})});       // The second call; holds as long as `os` lives.
//   os.AtPoint("session.hello.sent", [&] { ... });
//   ...
//   EXPECT_EQ(os.calls("Accept"), 3);
//
// A child (ipc_util/testing/child.h) takes its instructions from its environment:
//
//   Child::Start("client", {}, {.environment = {OsEnvironment({KillAt("session.hello.sent")})}, .inherited = {}});
//
// Link statically, as sluice_cc_test does. Without instructions every call goes to the kernel.

#ifndef SLUICE_IPC_UTIL_INTERNAL_OS_TESTING_H_
#define SLUICE_IPC_UTIL_INTERNAL_OS_TESTING_H_

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

inline constexpr int kAlways = std::numeric_limits<int>::max();

// Which of the calls of a function, or arrivals at a point: `times` of them, the `first`, and then every `every`-th.
// Counted from when the instruction was given.
struct Which {
  int first = 1;
  int times = 1;
  int every = 1;

  friend bool operator==(const Which&, const Which&) = default;
};

struct OsInstruction {
  enum class Action { kFail, kCut, kKill, kStop };

  Action action = Action::kFail;
  std::string where;  // A function of os.h, or a point.
  int value = 0;      // kFail: the errno. kCut: the bytes.
  Which which = {};

  friend bool operator==(const OsInstruction&, const OsInstruction&) = default;
};

// The call fails with `error`; the kernel is not asked. An EINTR storm: `{.times = kAlways, .every = 2}`.
OsInstruction FailCall(absl::string_view function, int error, Which which = {});
// At most `bytes` of the message are sent or received; `function` is SendMsg or RecvMsg.
OsInstruction CutCall(absl::string_view function, int bytes, Which which = {});
// The process kills itself (SIGKILL), or stops itself (SIGSTOP), at the point.
OsInstruction KillAt(absl::string_view point, Which which = {});
OsInstruction StopAt(absl::string_view point, Which which = {});

// A child's environment variable that gives it `instructions` for its whole life.
std::string OsEnvironment(const std::vector<OsInstruction>& instructions);

// The reverse of `OsEnvironment`, of what comes after the "="; ends the program where that is no instruction.
// "fail RecvMsg EINTR times=always every=2; kill session.hello.sent first=3".
std::vector<OsInstruction> ParseOsInstructions(absl::string_view text);

// What is to happen at the seam of this process while it lives, and what has happened there since it was made. One at a
// time; any thread may call the seam.
class OsTesting {
 public:
  explicit OsTesting(const std::vector<OsInstruction>& instructions = {});
  ~OsTesting();
  OsTesting(const OsTesting&) = delete;
  OsTesting& operator=(const OsTesting&) = delete;

  // Calls `action`, in the thread that comes to `point`, each time. The action must not come to a point itself.
  void AtPoint(absl::string_view point, std::function<void()> action);

  // How often `function` was called, failed calls included.
  int calls(absl::string_view function) const;

  // How often its instructions made a call fail or cut it short: 0 says that they met nothing.
  int interventions() const;

  // The points that were reached, in their order.
  std::vector<std::string> points() const;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_OS_TESTING_H_
