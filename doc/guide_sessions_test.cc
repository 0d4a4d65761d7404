// Code of guide.md, compiled and run: what lies between the marks stands there word for word. Sessions.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <future>
#include <iostream>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "doc/guide.capnp.h"
#include "doc/guide_testing.h"
#include "doc/guide_universe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/dispatch_thread.h"
#include "ipc_session/reconnect.h"
#include "ipc_session/server.h"
#include "ipc_session/version.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/credentials.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/permissions.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace memory = ipc::session::shm::classic;
using guide::Greeting;

// [guide
absl::Status SendFile(ipc::Channel& channel, const char* path) {
  ipc::Fd file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ipc::FromErrno(errno, absl::StrCat("open ", path));
  const ipc::FdView descriptors[] = {file};
  return channel.Send(std::as_bytes(std::span(absl::string_view(path))), descriptors);
}

absl::StatusOr<ipc::Fd> ReceiveFile(ipc::Channel& channel) {
  std::vector<std::byte> path(channel.max_message_bytes());
  std::vector<ipc::Fd> descriptors;
  absl::StatusOr<size_t> bytes = channel.Receive(absl::MakeSpan(path), &descriptors);
  if (!bytes.ok()) return bytes.status();
  path.resize(*bytes);
  if (descriptors.size() != 1) return absl::InvalidArgumentError("a file was to come");
  return std::move(descriptors[0]);  // This process's own: it may read from it, and it closes it.
}
// guide]

// [guide
// Asks the peer for one more channel, and says what for.
absl::StatusOr<ipc::Channel> OpenLogChannel(memory::Session& session) {
  return session.OpenChannel({.pipe = ipc::PipeKind::kRing, .metadata = "log"}, absl::Seconds(1));
}

// The peer takes what it knows.
absl::StatusOr<ipc::Channel> TakeLogChannel(memory::Session& session) {
  absl::StatusOr<ipc::ChannelOffer> offer = session.NextOffer(absl::Seconds(1));
  if (!offer.ok()) return offer.status();
  if (offer->metadata() == "log") return offer->Accept();
  offer->Refuse("only logs are taken");
  return absl::UnavailableError("the peer offered something else");
}
// guide]

// [guide
// Runs whatever there is to run, until the session ends; returns why it did.
absl::Status ServeAll(memory::Session& session) {
  std::vector<std::unique_ptr<ipc::StructuredChannel<Greeting>>> greetings;
  session.OnOffer([&](ipc::ChannelOffer offer) {
    absl::StatusOr<ipc::Channel> channel = offer.Accept();
    if (!channel.ok()) return;  // The opener was told.
    using GreetingChannel = ipc::StructuredChannel<Greeting>;
    greetings.push_back(std::make_unique<GreetingChannel>(GreetingChannel::Upgrade(*std::move(channel), session)));
    greetings.back()->On(Greeting::NAME, [&channel = *greetings.back()](ipc::Incoming<Greeting> request) {
      ipc::Message<Greeting> answer = channel.NewMessage();
      answer.body().setText(absl::StrCat("Hello, ", request.body().getName().cStr()));
      request.Reply(std::move(answer)).IgnoreError();
    });
  });
  absl::Status status;
  while (status.ok()) status = session.Dispatch(ipc::Deadline::Never());
  return status;
}
// guide]

// [guide
// In the greeter: one session after the other, whatever becomes of the host, until `greet` has done it.
absl::Status GreetAtLast(const ipc::SessionOptions& options,
                         const std::function<absl::Status(memory::Session&)>& greet) {
  ipc::Reconnector<memory::Session> sessions(kGreeter, kHost, options, {.maximum_delay = absl::Seconds(5)});
  while (true) {
    absl::StatusOr<memory::Session> session = sessions.Next(absl::Minutes(1));
    if (!session.ok()) return session.status();
    const absl::Status greeted = greet(*session);
    if (greeted.ok()) return greeted;
    std::cerr << "the host was lost: " << greeted << "\n";
  }
}
// guide]

// [guide
// One thread for all logins and sessions. poll(2) stands for the event loop.
absl::Status ServeInOneThread(memory::Server& server, const std::function<void(memory::Session&)>& set_handlers) {
  std::list<memory::Session> sessions;
  while (true) {
    std::vector<absl::StatusOr<ipc::FdView>> fds = {server.wait_fd()};
    for (memory::Session& session : sessions) fds.push_back(session.wait_fd());
    std::vector<pollfd> watched;
    for (const absl::StatusOr<ipc::FdView>& fd : fds) {
      if (!fd.ok()) return fd.status();
      watched.push_back({.fd = fd->get(), .events = POLLIN, .revents = 0});
    }
    poll(watched.data(), watched.size(), -1);
    while (true) {
      absl::StatusOr<std::optional<memory::Session>> client = server.TryAccept();
      if (!client.ok()) return client.status();
      if (!client->has_value()) break;
      set_handlers(sessions.emplace_back(**std::move(client)));
    }
    // An error is the end of a session: its `OnEnd` has run.
    sessions.remove_if([](memory::Session& session) { return !session.TryDispatch().ok(); });
  }
}
// guide]

// [guide
absl::StatusOr<ipc::DispatchThread> DriveInThread(memory::Session& session) {
  session.OnEnd([](const absl::Status& end) { std::cerr << "the session has ended: " << end << "\n"; });
  return ipc::DispatchThread::Start(session);
}
// guide]

// [guide
inline constexpr ipc::App kTill{.name = "till", .executable = "/usr/bin/till", .uid = 1001, .gid = 1000};
inline constexpr absl::string_view kMayBook[] = {"till"};
inline constexpr ipc::ServerApp kLedger{
    .app = {.name = "ledger", .executable = "/usr/bin/ledger", .uid = 1002, .gid = 1000},
    .allowed_clients = kMayBook,
    .permissions = ipc::Permissions::kGroup};

ipc::ServerOptions LedgerOptions() {
  ipc::ServerOptions options;
  options.clients = {kTill};
  options.session.executable_policy = ipc::ExecutablePolicy::kRequired;
  options.login_timeout = absl::Seconds(1);
  options.max_sessions_per_uid = 10;
  return options;
}

std::string Describe(const ipc::SessionPeer& peer) {
  return absl::StrCat(peer.app, ", ", ipc::ToString(peer.credentials),
                      peer.process_watched ? "" : ", whose end its socket alone tells");
}
// guide]

// [guide
// For both sides.
ipc::SessionOptions WithKeepAlive(ipc::SessionOptions options) {
  options.keep_alive_period = absl::Milliseconds(500);
  options.idle_timeout = absl::Seconds(2);  // Longer than the peer's period.
  return options;
}
// guide]

// [guide
static_assert(SLUICE_IPC_SESSION_VERSION_NUMBER >= 100, "needs ipc_session 0.1.0 or later");
// guide]

// [guide
std::string WhatToDo(const absl::Status& status) {
  switch (ipc::ReasonOf(status)) {
    case ipc::Reason::kNoServer:
      return "start the server";
    case ipc::Reason::kGoodbye:
      return "nothing: the peer has closed the session";
    case ipc::Reason::kExited:
    case ipc::Reason::kKilled:
    case ipc::Reason::kGone:
      return "connect again: the peer has died";
    case ipc::Reason::kNotListed:
      return "add the app to the server's allowed_clients";
    default:
      return std::string(status.message());
  }
}
// guide]

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

SLUICE_CHILD_ROLE(file_host) {
  return HostIn(arguments[0], [](memory::Session& session) {
    Channel channel = session.TakeChannel(0);
    return SendFile(channel, "/proc/self/status");
  });
}

SLUICE_CHILD_ROLE(log_host) {
  return HostIn(arguments[0], [](memory::Session& session) {
    absl::StatusOr<Channel> channel = TakeLogChannel(session);
    if (!channel.ok()) return channel.status();
    std::byte line[16];
    return channel->Receive(absl::MakeSpan(line)).status();
  });
}

SLUICE_CHILD_ROLE(dispatching_host) { return HostIn(arguments[0], &ServeAll); }

// Sends back what comes on the first channel of each session.
SLUICE_CHILD_ROLE(echoing_host) {
  absl::StatusOr<memory::Server> server = ::Listen(OptionsIn(arguments[0]));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  std::list<Channel> channels;
  auto set_handlers = [&](memory::Session& session) {
    Channel& channel = channels.emplace_back(session.TakeChannel(0));
    session.OnReady(channel, [&channel] {
      std::byte buffer[16];
      const absl::StatusOr<std::optional<size_t>> bytes = channel.TryReceive(absl::MakeSpan(buffer));
      if (!bytes.ok() || !bytes->has_value()) return bytes.ok();
      return channel.TrySend(absl::MakeConstSpan(buffer, **bytes)).ok();
    });
  };
  return server.ok() && ServeInOneThread(*server, set_handlers).ok() ? 0 : 1;
}

SLUICE_CHILD_ROLE(idle_host) {
  absl::StatusOr<memory::Server> server = ::Listen(WithKeepAlive(OptionsIn(arguments[0])));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  const auto wait = [](memory::Session& session) { return session.WaitForEnd(Deadline::Never()); };
  return server.ok() && Serve(*server, wait).ok() ? 0 : 1;
}

TEST_F(GuideTest, AFileIsPassed) {
  Meet("file_host");
  Channel channel = session_->TakeChannel(0);
  ASSERT_OK_AND_ASSIGN(const Fd file, ReceiveFile(channel));
  std::string content(4096, '\0');
  ASSERT_GT(pread(file.get(), content.data(), content.size(), 0), 0);
  EXPECT_THAT(content, HasSubstr(absl::StrCat("\nPid:\t", host_->pid(), "\n")));
}

TEST_F(GuideTest, AChannelIsOpenedLater) {
  Meet("log_host");
  ASSERT_OK_AND_ASSIGN(Channel channel, OpenLogChannel(*session_));
  EXPECT_OK(channel.Send(std::as_bytes(std::span("a line", 6))));
  EXPECT_EQ(ReasonOf(session_->WaitForEnd(TimeLimit())), Reason::kGoodbye);
}

TEST_F(GuideTest, ADispatcherServesAll) {
  Meet("dispatching_host");
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(Channel opened, session_->OpenChannel({}, TimeLimit()));
    auto channel = StructuredChannel<Greeting>::Upgrade(std::move(opened), *session_);
    Message<Greeting> question = channel.NewMessage();
    question.body().setName("Ada");
    ASSERT_OK_AND_ASSIGN(const Incoming<Greeting> answer, channel.Request(std::move(question), TimeLimit()));
    EXPECT_STREQ(answer.body().getText().cStr(), "Hello, Ada");
  }
}

TEST_F(GuideTest, AGoodbyeIsTold) {
  Meet("file_host");  // Closes its session when it has sent.
  EXPECT_EQ(WhatToDo(session_->WaitForEnd(TimeLimit())), "nothing: the peer has closed the session");
}

TEST_F(GuideTest, ErrorsHaveReasons) {
  EXPECT_EQ(WhatToDo(::Connect(OptionsIn(folder_.path())).status()), "start the server");
  StartHost("dispatching_host");
  EXPECT_EQ(WhatToDo(memory::Session::Connect({.name = "stranger"}, kHost, OptionsIn(folder_.path())).status()),
            "add the app to the server's allowed_clients");
  ASSERT_OK_AND_ASSIGN(session_, ::Connect(OptionsIn(folder_.path())));
  host_->Kill();
  EXPECT_EQ(WhatToDo(session_->WaitForEnd(TimeLimit())), "connect again: the peer has died");
}

TEST_F(GuideTest, AClientOutlivesItsServer) {
  StartHost("dispatching_host");
  int sessions = 0;
  EXPECT_OK(GreetAtLast(OptionsIn(folder_.path()), [&](memory::Session& session) {
    if (++sessions == 2) return absl::OkStatus();
    host_->Kill();
    const absl::Status end = session.WaitForEnd(TimeLimit());
    StartHost("dispatching_host");
    return end;
  }));
  EXPECT_EQ(sessions, 2);
}

TEST_F(GuideTest, OneThreadServesManyClients) {
  Meet("echoing_host");
  ASSERT_OK_AND_ASSIGN(memory::Session other, ::Connect(OptionsIn(folder_.path())));
  for (memory::Session* const session : {&*session_, &other}) {
    Channel channel = session->TakeChannel(0);
    EXPECT_OK(channel.Send(std::as_bytes(std::span("hi", 2))));
    std::byte buffer[16];
    EXPECT_THAT(channel.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(2u));
  }
}

TEST_F(GuideTest, AThreadRunsCallbacks) {
  Meet("dispatching_host");
  ASSERT_OK_AND_ASSIGN(Channel opened, session_->OpenChannel({}, TimeLimit()));
  auto channel = StructuredChannel<Greeting>::Upgrade(std::move(opened), *session_);
  ASSERT_OK_AND_ASSIGN(DispatchThread thread, DriveInThread(*session_));
  std::promise<std::string> answered;
  Message<Greeting> question = channel.NewMessage();
  question.body().setName("Ada");
  EXPECT_OK(channel.Request(
      std::move(question),
      [&](absl::StatusOr<Incoming<Greeting>> answer) {
        answered.set_value(answer.ok() ? answer->body().getText().cStr() : answer.status().ToString());
      },
      TimeLimit()));
  EXPECT_EQ(answered.get_future().get(), "Hello, Ada");
}

TEST_F(GuideTest, IdentitiesAreChecked) {
  EXPECT_OK(Validate(kLedger));
  ServerOptions options = LedgerOptions();
  options.session.run_folder = folder_.path();
  EXPECT_THAT(memory::Server::Listen(kLedger, options), StatusIs(absl::StatusCode::kPermissionDenied));
  Meet("file_host");
  EXPECT_EQ(Describe(session_->peer()),
            absl::StrCat("host, pid ", host_->pid(), ", uid ", getuid(), ", gid ", getgid()));
}

TEST_F(GuideTest, AStoppedPeerIsSilent) {
  StartHost("idle_host");
  ASSERT_OK_AND_ASSIGN(memory::Session session, ::Connect(WithKeepAlive(OptionsIn(folder_.path()))));
  host_->Stop();
  EXPECT_EQ(ReasonOf(session.WaitForEnd(TimeLimit())), Reason::kSilent);
}

}  // namespace
}  // namespace ipc::testing
