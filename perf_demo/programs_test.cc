// The three programs as a user runs them.

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/deadline.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"
#include "ipc_util/testing/world.h"
#include "perf_demo/choices.h"
#include "perf_demo/program.h"
#include "perf_demo/result.h"
#include "perf_demo/write_file.h"

namespace cache_demo {
namespace {

namespace fs = std::filesystem;

using ::ipc::testing::IsOk;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TempDir;
using ::ipc::testing::TimeLimit;
using ::ipc::testing::World;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr auto kAborted = absl::StatusCode::kAborted;

Program Started(const char* variable, const std::vector<std::string>& arguments) {
  absl::StatusOr<Program> program = Program::Start(fs::absolute(getenv(variable)).string(), arguments);
  EXPECT_OK(program);
  return *std::move(program);
}

// How it ended, and all that it wrote to its standard output from now on.
struct End {
  absl::Status status;
  std::vector<std::string> lines;
};

End RunToEnd(Program program) {
  End end;
  while (true) {
    const absl::StatusOr<std::optional<std::string>> line = program.ReadLine(TimeLimit());
    EXPECT_OK(line);
    if (!line.ok() || !line->has_value()) break;
    end.lines.push_back(**line);
  }
  end.status = program.Wait(TimeLimit());
  return end;
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A server and a client that share a run folder.
class PairTest : public ::testing::Test {
 protected:
  PairTest() : names_before_(World::Now().names) {}
  ~PairTest() override { EXPECT_EQ(World::Now().names, names_before_) << "something was left in shared memory"; }

  std::vector<std::string> WithFolder(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), absl::StrCat("--run_folder=", folder_.path()));
    return arguments;
  }

  // Returns once it listens.
  Program StartServer(const std::vector<std::string>& flags) {
    Program server = Started("CACHE_SERVER", WithFolder(flags));
    const absl::StatusOr<std::optional<std::string>> line = server.ReadLine(TimeLimit());
    EXPECT_OK(line);
    EXPECT_TRUE(line.ok() && line->has_value()) << server.errors();
    return server;
  }
  Program StartClient(const std::vector<std::string>& arguments) {
    return Started("CACHE_CLIENT", WithFolder(arguments));
  }

  // A client that goes on asking for seconds; returns when it has connected and got so many files.
  Program StartBusyClient(std::vector<std::string> arguments, int files) {
    constexpr int kFiles = 20'000;
    arguments.insert(arguments.end(), {"--format=tsv", "--iterations=3"});
    arguments.insert(arguments.end(), kFiles, "1MB");
    Program client = StartClient(arguments);
    // It says what its rows have as soon as it has connected.
    for (int i = 0; i < 1 + files; ++i) EXPECT_OK(client.ReadLine(TimeLimit()));
    return client;
  }

  const TempDir folder_;

 private:
  const std::set<std::string> names_before_;
};

class ModeTest : public PairTest, public ::testing::WithParamInterface<Mode> {
 protected:
  const std::string mode_ = absl::StrCat("--mode=", Name(GetParam()));
};

std::string ModeName(const ::testing::TestParamInfo<Mode>& info) { return std::string(Name(info.param)); }

INSTANTIATE_TEST_SUITE_P(Modes, ModeTest,
                         ::testing::Values(Mode::kSocket, Mode::kHeap, Mode::kClassic, Mode::kJemalloc), ModeName);

TEST_P(ModeTest, FilesArriveWhole) {
  Program server = StartServer({mode_, "--sizes=0,7,100KB,10MB"});
  const End client = RunToEnd(StartClient({mode_, "--format=tsv", "--iterations=20", "0B", "7B", "100KB", "10MB"}));
  EXPECT_OK(client.status);
  ASSERT_THAT(client.lines, SizeIs(5));
  ASSERT_OK_AND_ASSIGN(const Result largest, ParseTsvRow(client.lines[4]));
  EXPECT_EQ(largest.mode, GetParam());
  EXPECT_EQ(largest.bytes, 10'000'000u);
  EXPECT_EQ(largest.iterations, 20u);
  EXPECT_OK(server.Wait(TimeLimit()));
  EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock"));
}

// How both wait, and how many files have passed, when one is killed.
struct Moment {
  const char* wait;
  int files;
};
constexpr Moment kMoments[] = {{"--wait=adaptive", 0}, {"--wait=adaptive", 1}, {"--wait=spin", 1}, {"--wait=sleep", 1}};

TEST_P(ModeTest, AKilledServerIsToldAndReplaced) {
  for (const auto& [wait, files] : kMoments) {
    Program server = StartServer({mode_, wait, "--sizes=1MB"});
    Program client = StartBusyClient({mode_, wait}, files);
    kill(server.pid(), SIGKILL);
    EXPECT_THAT(server.Wait(TimeLimit()), StatusIs(kAborted));
    EXPECT_THAT(RunToEnd(std::move(client)).status,
                StatusIs(kAborted, MatchesRegex("cache_client: ask for file [^\n]*peer[^\n]*")));
    EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock", "cacheSrv.sock"));
  }
  Program next = StartServer({mode_, "--sizes=7"});
  EXPECT_OK(RunToEnd(StartClient({mode_, "--iterations=1", "7B"})).status);
  EXPECT_OK(next.Wait(TimeLimit()));
}

TEST_P(ModeTest, AKilledClientIsTold) {
  for (const auto& [wait, files] : kMoments) {
    Program server = StartServer({mode_, wait, "--sizes=1MB"});
    Program client = StartBusyClient({mode_, wait}, files);
    kill(client.pid(), SIGKILL);
    EXPECT_THAT(server.Wait(TimeLimit()),
                StatusIs(kAborted, MatchesRegex("cache_server: serve client cacheCli \\(pid [^\n]*\\): [^\n]*")));
    EXPECT_THAT(NamesIn(folder_.path()), ElementsAre("cacheSrv.lock"));
  }
}

TEST_P(ModeTest, AnUnknownFileIsToldByBoth) {
  Program server = StartServer({mode_, "--sizes=7"});
  const End client = RunToEnd(StartClient({mode_, "nothing"}));
  EXPECT_THAT(client.status, StatusIs(kAborted,
                                      "cache_client: ask for file \"nothing\": there is no file \"nothing\"; "
                                      "there are: 7B"));
  EXPECT_THAT(client.lines, IsEmpty());
  EXPECT_THAT(server.Wait(TimeLimit()),
              StatusIs(kAborted, AllOf(StartsWith("cache_server: serve client"), HasSubstr("no file \"nothing\""))));
}

TEST_P(ModeTest, MissingMemoryIsToldByBoth) {
  Program server = StartServer({mode_, "--sizes=2MB", "--memory=1MB"});
  EXPECT_THAT(
      RunToEnd(StartClient({mode_, "2MB"})).status,
      StatusIs(kAborted, HasSubstr("file 2MB has 2000000 bytes, 0 are held, and --memory allows 1MB; raise it")));
  EXPECT_THAT(server.Wait(TimeLimit()), StatusIs(kAborted, HasSubstr("--memory allows 1MB")));
}

TEST_F(PairTest, WithoutAServerTheClientSaysSo) {
  EXPECT_THAT(RunToEnd(StartClient({"7B"})).status,
              StatusIs(kAborted, AllOf(StartsWith("cache_client: "), HasSubstr("start cache_server first"),
                                       Not(HasSubstr("\n")))));
}

TEST_F(PairTest, AStrangerIsRefused) {
  const Program server = StartServer({"--sizes=7"});
  EXPECT_THAT(RunToEnd(StartClient({"--app=stranger", "7B"})).status,
              StatusIs(kAborted, AllOf(StartsWith("cache_client: "), HasSubstr("stranger"), Not(HasSubstr("\n")))));
  EXPECT_OK(RunToEnd(StartClient({"--iterations=1", "7B"})).status);
  EXPECT_THAT(server.errors(), HasSubstr("stranger"));
}

TEST_F(PairTest, AClientOfAnotherModeIsRefused) {
  const Program server = StartServer({"--mode=classic", "--sizes=7"});
  EXPECT_THAT(RunToEnd(StartClient({"--mode=jemalloc", "7B"})).status,
              StatusIs(kAborted, AllOf(HasSubstr("classic"), HasSubstr("jemalloc"))));
}

TEST_F(PairTest, ASecondServerIsRefused) {
  const Program server = StartServer({"--sizes=7"});
  EXPECT_THAT(RunToEnd(Started("CACHE_SERVER", WithFolder({"--sizes=7"}))).status,
              StatusIs(kAborted, AllOf(StartsWith("cache_server: "), Not(HasSubstr("\n")))));
}

TEST_F(PairTest, BadFlagsAreNamed) {
  const auto error_of = [](const char* program, const std::vector<std::string>& arguments) {
    const End end = RunToEnd(Started(program, arguments));
    EXPECT_THAT(end.lines, IsEmpty());
    EXPECT_THAT(std::string(end.status.message()), Not(HasSubstr("\n")));
    return std::string(end.status.message());
  };
  EXPECT_EQ(error_of("CACHE_SERVER", {"--wait=hard"}),
            "cache_server: --wait has \"hard\"; there are: adaptive, spin, sleep");
  EXPECT_THAT(error_of("CACHE_SERVER", {"--sizes=1XB"}), StartsWith("cache_server: --sizes has the size \"1XB\""));
  EXPECT_THAT(error_of("CACHE_SERVER", {"--dir=/no/such"}), HasSubstr("/no/such"));
  EXPECT_THAT(error_of("CACHE_SERVER", {"--clients=-1"}), HasSubstr("--clients is -1"));
  EXPECT_THAT(error_of("CACHE_SERVER", {"extra"}), HasSubstr("\"extra\" is no flag"));
  EXPECT_THAT(error_of("CACHE_SERVER", {"--run_folder=here"}), HasSubstr("run_folder is \"here\""));
  EXPECT_THAT(error_of("CACHE_CLIENT", {"--mode=fast", "7B"}), StartsWith("cache_client: --mode has \"fast\""));
  EXPECT_THAT(error_of("CACHE_CLIENT", {"--verify=some", "7B"}), StartsWith("cache_client: --verify has \"some\""));
  EXPECT_THAT(error_of("CACHE_CLIENT", {}), HasSubstr("no file to ask for"));
  EXPECT_THAT(error_of("CACHE_CLIENT", {"--iterations=x", "7B"}), HasSubstr("iterations"));
  EXPECT_THAT(error_of("PERF_DEMO", {"--modes=heap,heap"}), StartsWith("perf_demo: --modes has heap twice"));
  EXPECT_THAT(error_of("PERF_DEMO", {"--format=xml"}), StartsWith("perf_demo: --format has \"xml\""));
  EXPECT_THAT(error_of("PERF_DEMO", {"--out=/proc/none"}), HasSubstr("/proc/none"));
  EXPECT_THAT(error_of("PERF_DEMO", {"--colour"}), HasSubstr("colour"));
}

// Runs perf_demo with a folder of its own for temporary files, which must be empty afterwards.
class PerfDemoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("TMPDIR", temporary_.path().c_str(), 1);
    setenv("BUILD_WORKING_DIRECTORY", where_.path().c_str(), 1);
  }
  void TearDown() override {
    unsetenv("TMPDIR");
    unsetenv("BUILD_WORKING_DIRECTORY");
  }

  const TempDir temporary_;
  const TempDir where_;  // The user is.
};

TEST_F(PerfDemoTest, WritesAllReports) {
  const End end = RunToEnd(Started("PERF_DEMO", {"--sizes=100KB,1MB", "--iterations=20", "--out=some/report"}));
  EXPECT_OK(end.status);
  const std::string table = absl::StrJoin(end.lines, "\n");
  EXPECT_THAT(table, AllOf(HasSubstr("socket / classic, 1MB"), HasSubstr("socket / jemalloc, 1MB"),
                           HasSubstr("1MB / 100KB, classic"), HasSubstr("1MB / 100KB, jemalloc")));
  const std::string out = where_.path() + "/some/report";
  EXPECT_THAT(NamesIn(out), ElementsAre("plot.gnuplot", "plot.png", "plot.svg", "results.json", "results.tsv"));
  const std::string json = ContentOf(out + "/results.json");
  EXPECT_THAT(json, StartsWith("{\"machine\":{"));
  for (const char* const mode : {"socket", "heap", "classic", "jemalloc"}) {
    EXPECT_THAT(json, HasSubstr(absl::StrCat("{\"mode\":\"", mode, "\",\"bytes\":1000000,\"wait\":\"adaptive\",",
                                             "\"iterations\":20,\"p50_ns\":")));
  }
  EXPECT_THAT(NamesIn(temporary_.path()), IsEmpty());
}

TEST_F(PerfDemoTest, PrintsNothingButJson) {
  Program program = Started("PERF_DEMO", {"--sizes=7", "--modes=classic", "--iterations=2", "--format=json"});
  const End end = RunToEnd(std::move(program));
  EXPECT_OK(end.status);
  ASSERT_THAT(end.lines, SizeIs(3));
  EXPECT_THAT(end.lines[0], AllOf(StartsWith("{\"machine\":{"), ::testing::EndsWith("},\"results\":[")));
  EXPECT_THAT(end.lines[1], StartsWith("{\"mode\":\"classic\",\"bytes\":7,"));
  EXPECT_EQ(end.lines[2], "]}");
}

TEST_F(PerfDemoTest, SendsAFolder) {
  fs::create_directory(where_.path() + "/files");
  ASSERT_OK(WriteFile(where_.path() + "/files/-a letter", std::string(200'000, 'x')));
  ASSERT_OK(WriteFile(where_.path() + "/files/empty", ""));
  const End end =
      RunToEnd(Started("PERF_DEMO", {"--dir=files", "--modes=jemalloc", "--iterations=2", "--verify=first"}));
  EXPECT_OK(end.status);
  EXPECT_THAT(absl::StrJoin(end.lines, "\n"), AllOf(HasSubstr("-a letter (200KB)"), HasSubstr("empty (0B)")));
}

// The processes that `pid` has started.
std::vector<ipc::PidFd> ChildrenOf(pid_t pid) {
  std::vector<ipc::PidFd> children;
  std::ifstream file(absl::StrCat("/proc/", pid, "/task/", pid, "/children"));
  for (pid_t child; file >> child;) {
    absl::StatusOr<ipc::PidFd> opened = ipc::PidFd::Open(child);
    if (opened.ok()) children.push_back(*std::move(opened));
  }
  return children;
}

// Both programs of a perf_demo that has just started, once it has.
std::vector<ipc::PidFd> BothChildrenOf(pid_t pid) {
  const ipc::Deadline limit(TimeLimit());
  std::vector<ipc::PidFd> children;
  while (children.size() < 2 && !limit.HasPassed()) children = ChildrenOf(pid);
  return children;
}

bool EndsInTime(const ipc::PidFd& process) {
  pollfd poll_fd = {.fd = process.fd().get(), .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(TimeLimit()))) == 1;
}

TEST_F(PerfDemoTest, WhenInterruptedItEndsBothProgramsAndTidiesUp) {
  Program program = Started("PERF_DEMO", {"--sizes=7", "--modes=classic", "--iterations=1000000000"});
  const std::vector<ipc::PidFd> children = BothChildrenOf(program.pid());
  ASSERT_THAT(children, SizeIs(2));
  kill(program.pid(), SIGTERM);
  EXPECT_THAT(program.Wait(TimeLimit()), StatusIs(kAborted, HasSubstr("interrupted by a signal")));
  for (const ipc::PidFd& child : children) EXPECT_TRUE(EndsInTime(child));
  EXPECT_THAT(NamesIn(temporary_.path()), IsEmpty());
}

TEST_F(PerfDemoTest, WhenKilledBothProgramsEndToo) {
  Program program = Started("PERF_DEMO", {"--sizes=7", "--modes=classic", "--iterations=1000000000"});
  const std::vector<ipc::PidFd> children = BothChildrenOf(program.pid());
  ASSERT_THAT(children, SizeIs(2));
  kill(program.pid(), SIGKILL);
  EXPECT_THAT(program.Wait(TimeLimit()), StatusIs(kAborted));
  for (const ipc::PidFd& child : children) EXPECT_TRUE(EndsInTime(child));
}

TEST_F(PerfDemoTest, WhenAProgramIsKilledItSaysSo) {
  Program program = Started("PERF_DEMO", {"--sizes=7", "--modes=classic", "--iterations=1000000000"});
  ASSERT_THAT(BothChildrenOf(program.pid()), SizeIs(2));
  std::ifstream file(absl::StrCat("/proc/", program.pid(), "/task/", program.pid(), "/children"));
  pid_t server;
  ASSERT_TRUE(file >> server);
  kill(server, SIGKILL);
  EXPECT_THAT(program.Wait(TimeLimit()),
              StatusIs(kAborted, "perf_demo: mode classic: cache_server was killed by signal 9"));
  EXPECT_THAT(NamesIn(temporary_.path()), IsEmpty());
}

}  // namespace
}  // namespace cache_demo
