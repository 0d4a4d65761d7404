#include "ipc_util/internal/os_testing.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ipc_util/internal/os_interceptor.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using testing::OsInstruction;
using testing::Which;
using Action = OsInstruction::Action;

constexpr char kVariable[] = "SLUICE_OS_TESTING";
constexpr std::pair<Action, const char*> kActionNames[] = {
    {Action::kFail, "fail"}, {Action::kCut, "cut"}, {Action::kKill, "kill"}, {Action::kStop, "stop"}};

[[noreturn]] void DieOf(absl::string_view text) {
  std::fprintf(stderr, "%s: no instruction for the OS seam: \"%s\"\n", kVariable, std::string(text).c_str());
  std::abort();
}

bool IsOfPoint(const OsInstruction& instruction) {
  return instruction.action == Action::kKill || instruction.action == Action::kStop;
}

struct Installed {
  OsInstruction instruction;
  bool for_life = false;  // From the environment, rather than from an `OsTesting`.
  int seen = 0;

  // Counts one more call or arrival; true if it is one of those meant.
  bool Meets() {
    const Which& which = instruction.which;
    const int since_first = seen++ - (which.first - 1);
    return since_first >= 0 && since_first % which.every == 0 && since_first / which.every < which.times;
  }
};

struct State {
  State() {
    const char* const text = std::getenv(kVariable);
    if (text == nullptr) return;
    for (OsInstruction& instruction : testing::ParseOsInstructions(text)) {
      installed.push_back({.instruction = std::move(instruction), .for_life = true});
    }
  }

  // std::mutex: the tests of ipc_util/internal/mutex.h stand on this.
  std::mutex mutex;
  std::vector<Installed> installed;
  std::map<std::string, std::function<void()>, std::less<>> actions;
  std::map<std::string, int, std::less<>> calls;
  std::vector<std::string> points;
  int interventions = 0;
  bool watched = false;  // By an `OsTesting`; without one the list of points would grow for ever.
};

State& GlobalState() {
  static State* const state = new State;
  return *state;
}

// The next ";"-separated instruction.
OsInstruction ParseInstruction(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  if (words.size() < 2) DieOf(text);
  OsInstruction instruction = {.where = std::string(words[1])};
  bool known = false;
  for (const auto& [action, name] : kActionNames) {
    if (words[0] != name) continue;
    instruction.action = action;
    known = true;
  }
  if (!known) DieOf(text);
  size_t next = 2;
  if (!IsOfPoint(instruction)) {
    if (words.size() < 3) DieOf(text);
    const absl::string_view value = words[next++];
    constexpr int kMaxErrno = 133;
    for (int error = 1; error <= kMaxErrno && instruction.value == 0; ++error) {
      const char* const name = strerrorname_np(error);
      if (name != nullptr && value == name) instruction.value = error;
    }
    if (instruction.value == 0 && !absl::SimpleAtoi(value, &instruction.value)) DieOf(text);
  }
  for (; next < words.size(); ++next) {
    const std::pair<absl::string_view, absl::string_view> option = absl::StrSplit(words[next], absl::MaxSplits('=', 1));
    int number = testing::kAlways;
    if (option.second != "always" && (!absl::SimpleAtoi(option.second, &number) || number < 1)) DieOf(text);
    Which& which = instruction.which;
    if (option.first == "first") {
      which.first = number;
    } else if (option.first == "times") {
      which.times = number;
    } else if (option.first == "every") {
      which.every = number;
    } else {
      DieOf(text);
    }
  }
  return instruction;
}

std::string ToText(const OsInstruction& instruction) {
  std::string text;
  for (const auto& [action, name] : kActionNames) {
    if (instruction.action == action) text = name;
  }
  absl::StrAppend(&text, " ", instruction.where);
  if (!IsOfPoint(instruction)) absl::StrAppend(&text, " ", instruction.value);
  const Which& which = instruction.which;
  absl::StrAppend(&text, " first=", which.first, " times=", which.times, " every=", which.every);
  return text;
}

}  // namespace

namespace internal::os {

Verdict JudgeCall(const char* function) {
  const int error_before = errno;
  State& state = GlobalState();
  Verdict verdict;
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    ++state.calls[function];
    for (Installed& installed : state.installed) {
      const OsInstruction& instruction = installed.instruction;
      if (IsOfPoint(instruction) || instruction.where != function || !installed.Meets()) continue;
      if (instruction.action == Action::kFail) {
        verdict.error = instruction.value;
      } else {
        verdict.bytes_at_most = static_cast<size_t>(instruction.value);
      }
      if (!installed.for_life) ++state.interventions;
    }
  }
  errno = error_before;
  return verdict;
}

void ReachPoint(const char* name) {
  State& state = GlobalState();
  std::function<void()> action;
  int signal = 0;
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    if (state.watched) state.points.emplace_back(name);
    if (const auto found = state.actions.find(name); found != state.actions.end()) action = found->second;
    for (Installed& installed : state.installed) {
      const OsInstruction& instruction = installed.instruction;
      if (!IsOfPoint(instruction) || instruction.where != name || !installed.Meets()) continue;
      signal = instruction.action == Action::kKill ? SIGKILL : SIGSTOP;
    }
  }
  if (signal != 0) kill(getpid(), signal);
  if (action) action();
}

}  // namespace internal::os

namespace testing {

OsInstruction FailCall(absl::string_view function, int error, Which which) {
  return {.action = Action::kFail, .where = std::string(function), .value = error, .which = which};
}

OsInstruction CutCall(absl::string_view function, int bytes, Which which) {
  return {.action = Action::kCut, .where = std::string(function), .value = bytes, .which = which};
}

OsInstruction KillAt(absl::string_view point, Which which) {
  return {.action = Action::kKill, .where = std::string(point), .which = which};
}

OsInstruction StopAt(absl::string_view point, Which which) {
  return {.action = Action::kStop, .where = std::string(point), .which = which};
}

std::string OsEnvironment(const std::vector<OsInstruction>& instructions) {
  return absl::StrCat(kVariable, "=",
                      absl::StrJoin(instructions, "; ", [](std::string* out, const OsInstruction& instruction) {
                        absl::StrAppend(out, ToText(instruction));
                      }));
}

std::vector<OsInstruction> ParseOsInstructions(absl::string_view text) {
  std::vector<OsInstruction> instructions;
  for (const absl::string_view part : absl::StrSplit(text, ';', absl::SkipWhitespace())) {
    instructions.push_back(ParseInstruction(part));
  }
  return instructions;
}

OsTesting::OsTesting(const std::vector<OsInstruction>& instructions) {
  State& state = GlobalState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.calls.clear();
  state.points.clear();
  state.interventions = 0;
  state.watched = true;
  for (const OsInstruction& instruction : instructions) state.installed.push_back({.instruction = instruction});
}

OsTesting::~OsTesting() {
  State& state = GlobalState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  std::erase_if(state.installed, [](const Installed& installed) { return !installed.for_life; });
  state.actions.clear();
  state.watched = false;
}

void OsTesting::AtPoint(absl::string_view point, std::function<void()> action) {
  State& state = GlobalState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.actions[std::string(point)] = std::move(action);
}

int OsTesting::calls(absl::string_view function) const {
  State& state = GlobalState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  const auto found = state.calls.find(function);
  return found == state.calls.end() ? 0 : found->second;
}

int OsTesting::interventions() const {
  State& state = GlobalState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  return state.interventions;
}

std::vector<std::string> OsTesting::points() const {
  State& state = GlobalState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  return state.points;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
