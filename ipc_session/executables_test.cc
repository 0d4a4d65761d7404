// A2: whose executable is the universe's, by policy. It is told by what file a process runs, never by what it says.

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/testing/log_lines.h"
#include "ipc_session/testing/universe.h"
#include "ipc_transport/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr ExecutablePolicy kAllPolicies[] = {ExecutablePolicy::kIgnore, ExecutablePolicy::kWhenReadable,
                                             ExecutablePolicy::kRequired};

// Logs in when told to, asks once, and tells the answer. Argument: the run folder.
SLUICE_CHILD_ROLE(client) {
  TellParent("runs");
  HearParent();
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) {
    TellParent(absl::StrCat("refused as ", Name(ReasonOf(session.status()))));
    return 1;
  }
  Channel channel = session->TakeChannel(0);
  TellParent(Ask(channel, "hello"));
  return 0;
}

// Serves one client after the other until it is killed. Argument: the run folder.
SLUICE_CHILD_ROLE(server) {
  absl::StatusOr<Server> server = Server::Listen(kTestServer, ServerOptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  while (true) {
    absl::StatusOr<Session> session = server->Accept(Deadline::Never());
    if (!session.ok()) return 2;
    Channel channel = session->TakeChannel(0);
    Echo(channel).IgnoreError();
  }
}

class ExecutablesTest : public ::testing::Test {
 protected:
  // A file of its own that has the same content as this program.
  std::string Copy(const std::string& name) {
    const std::string path = absl::StrCat(folder_.path(), "/", name);
    fs::copy_file(own_, path, fs::copy_options::overwrite_existing);
    return path;
  }

  Child StartClient(const std::string& program, const std::string& argv0 = "") {
    Child client =
        Child::Start("client", {run_folder_}, {.environment = {}, .inherited = {}, .program = program, .argv0 = argv0});
    EXPECT_EQ(client.Hear(), "runs");
    return client;
  }

  // What `client` hears from a server in this process that demands `executable` of it.
  std::string Serve(Child& client, const std::string& executable, ExecutablePolicy policy) {
    ServerOptions options = ServerOptionsIn(run_folder_);
    options.clients = {App{.name = kTestClient.name, .executable = executable}};
    options.session.executable_policy = policy;
    absl::StatusOr<Server> server = Server::Listen(kTestServer, options);
    if (!server.ok()) return server.status().ToString();
    std::string heard;
    std::thread peer([&] {
      client.Tell("go");
      heard = client.Hear();
      client.Wait();
    });
    // The next login ends the call where the client's was refused.
    const Deadline deadline(TimeLimit());
    const size_t refusals = log_.lines().size();
    while (!deadline.HasPassed() && log_.lines().size() == refusals) {
      absl::StatusOr<Session> session = server->Accept(absl::Milliseconds(5));
      if (!session.ok()) continue;
      Channel channel = session->TakeChannel(0);
      Echo(channel).IgnoreError();
      break;
    }
    peer.join();
    return heard;
  }
  std::string ServeClient(const std::string& program, const std::string& argv0, const std::string& executable,
                          ExecutablePolicy policy) {
    Child client = StartClient(program, argv0);
    return Serve(client, executable, policy);
  }

  const LogLines log_;
  const TempDir folder_;
  const std::string run_folder_ = absl::StrCat(folder_.path(), "/run");
  const std::string own_ = fs::read_symlink("/proc/self/exe");
};

constexpr char kRefused[] = "refused as wrong executable";

TEST_F(ExecutablesTest, TheUniversesExecutableIsLetIn) {
  for (const ExecutablePolicy policy : kAllPolicies) EXPECT_EQ(ServeClient(own_, "", own_, policy), "hello");
  EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(ExecutablesTest, AnExecutableThatIsNotNamedIsNotLookedAt) {
  for (const ExecutablePolicy policy : kAllPolicies) EXPECT_EQ(ServeClient(Copy("copy"), "", "", policy), "hello");
  EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(ExecutablesTest, ACopyElsewhereIsAnotherExecutable) {
  const std::string copy = Copy("copy");
  EXPECT_EQ(ServeClient(copy, "", own_, ExecutablePolicy::kIgnore), "hello");
  EXPECT_EQ(ServeClient(copy, "", own_, ExecutablePolicy::kWhenReadable), kRefused);
  EXPECT_EQ(ServeClient(copy, "", own_, ExecutablePolicy::kRequired), kRefused);
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("runs another file")));
}

TEST_F(ExecutablesTest, WhatAProcessSaysOfItselfHasNoEffect) {
  const std::string copy = Copy("copy");
  EXPECT_EQ(ServeClient(copy, own_, own_, ExecutablePolicy::kWhenReadable), kRefused);
  EXPECT_EQ(ServeClient(copy, own_, own_, ExecutablePolicy::kRequired), kRefused);
  EXPECT_EQ(ServeClient(own_, copy, own_, ExecutablePolicy::kRequired), "hello");
}

// A file is told by device and inode, so other names of it are as good.
TEST_F(ExecutablesTest, AnotherNameOfTheSameFileIsLetIn) {
  const std::string copy = Copy("copy");
  const std::string link = absl::StrCat(folder_.path(), "/link");
  const std::string symlink = absl::StrCat(folder_.path(), "/symlink");
  fs::create_hard_link(copy, link);
  fs::create_symlink(copy, symlink);
  for (const std::string& program : {link, symlink}) {
    EXPECT_EQ(ServeClient(program, "", copy, ExecutablePolicy::kRequired), "hello") << program;
    EXPECT_EQ(ServeClient(copy, "", program, ExecutablePolicy::kRequired), "hello") << program;
  }
}

// What runs is no longer what lies there: "(deleted)".
TEST_F(ExecutablesTest, AnExecutableThatIsReplacedWhileItRunsIsRefused) {
  const std::string copy = Copy("copy");
  for (const ExecutablePolicy policy : {ExecutablePolicy::kWhenReadable, ExecutablePolicy::kRequired}) {
    Child before = StartClient(copy);
    fs::rename(Copy("new"), copy);
    EXPECT_EQ(Serve(before, copy, policy), kRefused);
    EXPECT_EQ(ServeClient(copy, "", copy, policy), "hello");
  }
}

TEST_F(ExecutablesTest, AnExecutableThatIsRemovedWhileItRunsIsRefused) {
  for (const ExecutablePolicy policy : {ExecutablePolicy::kWhenReadable, ExecutablePolicy::kRequired}) {
    const std::string copy = Copy("copy");
    Child client = StartClient(copy);
    fs::remove(copy);
    EXPECT_EQ(Serve(client, copy, policy), kRefused);
  }
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("there is no such file")));
}

// A script is run by its interpreter, and names nobody: what it runs in the end is what counts.
TEST_F(ExecutablesTest, AScriptIsNoExecutable) {
  const std::string script = absl::StrCat(folder_.path(), "/script");
  std::ofstream(script) << "#!/bin/sh\nexec " << own_ << " \"$@\"\n";
  fs::permissions(script, fs::perms::owner_all);
  EXPECT_EQ(ServeClient(script, "", script, ExecutablePolicy::kIgnore), "hello");
  EXPECT_EQ(ServeClient(script, "", script, ExecutablePolicy::kWhenReadable), kRefused);
  EXPECT_EQ(ServeClient(script, "", script, ExecutablePolicy::kRequired), kRefused);
  EXPECT_EQ(ServeClient(script, "", own_, ExecutablePolicy::kRequired), "hello");
}

// The client looks at its server in the same way.
TEST_F(ExecutablesTest, AServerThatIsAnotherExecutableIsRefused) {
  Child server = Child::Start("server", {run_folder_},
                              {.environment = {}, .inherited = {}, .program = Copy("copy"), .argv0 = own_});
  ASSERT_EQ(server.Hear(), "listening");
  ServerApp app = kTestServer;
  app.app.executable = own_;
  SessionOptions options = OptionsIn(run_folder_);
  for (const ExecutablePolicy policy : {ExecutablePolicy::kWhenReadable, ExecutablePolicy::kRequired}) {
    options.executable_policy = policy;
    const absl::Status refused = Session::Connect(kTestClient, app, options).status();
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(absl::StrCat("must run ", own_))));
    EXPECT_EQ(ReasonOf(refused), Reason::kWrongExecutable);
  }
  options.executable_policy = ExecutablePolicy::kIgnore;
  EXPECT_OK(Session::Connect(kTestClient, app, options));
  const std::string copy = absl::StrCat(folder_.path(), "/copy");
  app.app.executable = copy;
  options.executable_policy = ExecutablePolicy::kRequired;
  EXPECT_OK(Session::Connect(kTestClient, app, options));
}

}  // namespace
}  // namespace ipc::testing
