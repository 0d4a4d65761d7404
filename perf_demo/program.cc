#include "perf_demo/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace cache_demo {
namespace {

constexpr int kEndingSignals[] = {SIGINT, SIGTERM};
// A child's exit code when there is no such program, as in shells.
constexpr int kNoProgram = 127;

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kEndingSignals) sigaddset(&set, signal);
  return set;
}

// Waits until `fd` is readable; what was blocked of the ending signals comes through meanwhile.
absl::Status WaitReadable(ipc::FdView fd, ipc::Deadline deadline) {
  sigset_t unblocked;
  sigprocmask(SIG_SETMASK, nullptr, &unblocked);
  for (const int signal : kEndingSignals) sigdelset(&unblocked, signal);
  pollfd poll_fd = {.fd = fd.get(), .events = POLLIN, .revents = 0};
  timespec storage;
  const int ready = ppoll(&poll_fd, 1, deadline.ToPollTimeout(&storage), &unblocked);
  if (ready > 0) return absl::OkStatus();
  if (ready == 0) return absl::DeadlineExceededError("the program took too long");
  return errno == EINTR ? absl::CancelledError("interrupted by a signal") : ipc::FromErrno(errno, "wait for a program");
}

// Between fork and exec: only what is safe there.
[[noreturn]] void BecomeProgram(char* const* arguments, pid_t parent, std::optional<int> processor, int output,
                                int errors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kNoProgram);
  if (processor.has_value()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(*processor, &set);
    sched_setaffinity(0, sizeof(set), &set);
  }
  const sigset_t signals = EndingSignals();
  sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execvp(arguments[0], arguments);
  _exit(kNoProgram);
}

}  // namespace

void TurnSignalsIntoStatus() {
  const sigset_t signals = EndingSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  for (const int signal : kEndingSignals) sigaction(signal, &action, nullptr);
}

absl::StatusOr<Program> Program::Start(const std::string& path, const std::vector<std::string>& arguments,
                                       std::optional<int> processor) {
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return ipc::FromErrno(errno, absl::StrCat("make a pipe for ", path));
  ipc::Fd read_end(output[0]);
  const ipc::Fd write_end(output[1]);
  // A file takes whatever comes; a pipe that nobody empties would stop the program.
  ipc::Fd errors(memfd_create("errors", MFD_CLOEXEC));
  if (!errors.valid()) return ipc::FromErrno(errno, absl::StrCat("make a file for the errors of ", path));
  std::vector<std::string> words = {path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ipc::FromErrno(errno, absl::StrCat("start ", path));
  if (pid == 0) BecomeProgram(argv.data(), parent, processor, write_end.get(), errors.get());
  const std::vector<std::string> folders = absl::StrSplit(path, '/');
  Program program(folders.back(), pid, std::move(read_end), std::move(errors));
  SLUICE_ASSIGN_OR_RETURN(program.process_, ipc::PidFd::Open(pid));
  return program;
}

Program::Program(Program&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      unread_(std::move(other.unread_)),
      end_(std::move(other.end_)) {}

Program::~Program() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<std::optional<std::string>> Program::ReadLine(ipc::Deadline deadline) {
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    SLUICE_RETURN_IF_ERROR(ipc::WithContext(WaitReadable(output_, deadline), name_));
    char buffer[4096];
    const ssize_t bytes = read(output_.get(), buffer, sizeof(buffer));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return ipc::FromErrno(errno, absl::StrCat("read from ", name_));
    if (bytes == 0) return std::nullopt;
    unread_.append(buffer, bytes);
  }
}

absl::Status Program::Wait(ipc::Deadline deadline) {
  if (pid_ < 0) return end_;
  SLUICE_RETURN_IF_ERROR(ipc::WithContext(WaitReadable(process_.fd(), deadline), name_));
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFSIGNALED(status)) {
    end_ = absl::AbortedError(absl::StrCat(name_, " was killed by signal ", WTERMSIG(status)));
  } else if (WEXITSTATUS(status) == kNoProgram) {
    end_ = absl::UnavailableError(absl::StrCat(name_, " cannot be run; is it installed?"));
  } else if (WEXITSTATUS(status) != 0) {
    const std::string text = errors();
    end_ = absl::AbortedError(text.empty() ? absl::StrCat(name_, " ended with exit code ", WEXITSTATUS(status)) : text);
  }
  return end_;
}

std::string Program::errors() const {
  struct stat file;
  if (fstat(errors_.get(), &file) != 0) return "";
  std::string text(static_cast<size_t>(file.st_size), '\0');
  const ssize_t bytes = pread(errors_.get(), text.data(), text.size(), 0);
  text.resize(bytes < 0 ? 0 : static_cast<size_t>(bytes));
  return std::string(absl::StripAsciiWhitespace(text));
}

}  // namespace cache_demo
