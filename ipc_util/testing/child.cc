#include "ipc_util/testing/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/testing/time_limit.h"

extern char** environ;

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr char kRoleFlag[] = "--sluice_child_role=";
// Where a child finds what it inherits.
constexpr int kSocketNumber = 100;
constexpr int kInheritedNumber = 101;

std::map<std::string, RoleFunction>& Roles() {
  static auto* const roles = new std::map<std::string, RoleFunction>;
  return *roles;
}

[[noreturn]] void Die(absl::string_view what) {
  std::fprintf(stderr, "%s: %s\n", std::string(what).c_str(), std::strerror(errno));
  std::abort();
}

// Lines are packets, so that each arrives whole.
void SendLine(int socket, absl::string_view line) {
  if (send(socket, line.data(), line.size(), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) {
    Die("talk to the other process");
  }
}

std::string ReceiveLine(int socket) {
  pollfd poll_fd = {.fd = socket, .events = POLLIN, .revents = 0};
  if (poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))) <= 0) return "";
  char line[4096];
  const ssize_t bytes = recv(socket, line, sizeof(line), 0);
  return bytes > 0 ? std::string(line, bytes) : "";
}

int ReportedExit(int wait_status) { return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status); }

}  // namespace

Child Child::Start(absl::string_view role, const std::vector<std::string>& arguments) {
  return Start(role, arguments, Options());
}

Child Child::Start(absl::string_view role, const std::vector<std::string>& arguments, const Options& options) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) Die("make a pair of sockets");
  Fd parents(sockets[0]);
  const Fd childs(sockets[1]);

  const std::string program = options.program.empty() ? "/proc/self/exe" : options.program;
  std::vector<std::string> words = {options.argv0.empty() ? program : options.argv0, absl::StrCat(kRoleFlag, role)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = options.environment;
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, childs.get(), kSocketNumber);
  if (options.inherited.valid()) {
    posix_spawn_file_actions_adddup2(&actions, options.inherited.get(), kInheritedNumber);
  }
  pid_t pid;
  errno = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environment.data());
  if (errno != 0) Die("start a child");
  posix_spawn_file_actions_destroy(&actions);
  return Child(pid, std::move(parents));
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}

Child::~Child() {
  if (pid_ > 0) Kill();
}

void Child::Tell(absl::string_view line) { SendLine(socket_.get(), line); }

std::string Child::Hear() { return ReceiveLine(socket_.get()); }

void Child::Kill() {
  if (pid_ <= 0) return;
  Signal(SIGKILL);
  Wait();
}

void Child::Stop() {
  Signal(SIGSTOP);
  WaitUntilStopped();
}

void Child::WaitUntilStopped() {
  int status;
  if (waitpid(pid_, &status, WUNTRACED) != pid_ || !WIFSTOPPED(status)) Die("wait for a child to stop");
}

void Child::WaitUntilEnded() {
  siginfo_t end;
  while (waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) Die("wait for the end of a child");
  }
}

void Child::Continue() { Signal(SIGCONT); }

void Child::Signal(int signal) {
  errno = ESRCH;
  if (pid_ <= 0) Die("signal a child that was waited for");  // To kill(2), -1 is every process.
  kill(pid_, signal);
}

int Child::Wait() {
  errno = ECHILD;
  if (pid_ <= 0) Die("wait for a child that was waited for");  // To waitpid(2), -1 is any child.
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) Die("wait for a child");
  }
  pid_ = -1;
  return ReportedExit(status);
}

void TellParent(absl::string_view line) { SendLine(kSocketNumber, line); }

std::string HearParent() { return ReceiveLine(kSocketNumber); }

Fd InheritedFd() {
  Fd inherited(fcntl(kInheritedNumber, F_DUPFD_CLOEXEC, 0));
  close(kInheritedNumber);
  return inherited;
}

void RunRoleIfChild(int argc, char** argv) {
  if (argc < 2 || !absl::StartsWith(argv[1], kRoleFlag)) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // No child outlives a test that crashed.
  fcntl(kSocketNumber, F_SETFD, FD_CLOEXEC);
  const auto role = Roles().find(argv[1] + std::strlen(kRoleFlag));
  if (role == Roles().end()) Die(absl::StrCat("no role ", argv[1]));
  std::exit(role->second(std::vector<std::string>(argv + 2, argv + argc)));
}

namespace internal {

RoleRegistration::RoleRegistration(absl::string_view role, RoleFunction function) { Roles().emplace(role, function); }

}  // namespace internal
}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
