// Code of guide.md, compiled and run; the rest is that of examples. What lies between the marks stands there word for
// word.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "doc/code_blocks.h"
#include "doc/guide.capnp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/loan.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_listener.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/log.h"
#include "ipc_util/permissions.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

// [guide
inline constexpr ipc::App kGreeter{.name = "greeter"};
inline constexpr absl::string_view kMayGreet[] = {"greeter"};
inline constexpr ipc::ServerApp kHost{.app = {.name = "host"}, .allowed_clients = kMayGreet};
// guide]

// [guide
namespace memory = ipc::session::shm::classic;
using guide::Greeting;

// In the host.
absl::StatusOr<memory::Server> Listen(const ipc::SessionOptions& options) {
  return memory::Server::Listen(kHost, {.clients = {kGreeter}, .session = options});
}

// Serves one client after the other. A client that is lost does not end the server.
absl::Status Serve(memory::Server& server, absl::Status (*serve_client)(memory::Session&)) {
  while (true) {
    absl::StatusOr<memory::Session> session = server.Accept(ipc::Deadline::Never());
    if (!session.ok()) return session.status();
    absl::Status served = serve_client(*session);
    if (!served.ok()) std::cerr << session->peer().app << " was lost: " << served << "\n";
  }
}

// In the greeter.
absl::StatusOr<memory::Session> Connect(const ipc::SessionOptions& options) {
  return memory::Session::Connect(kGreeter, kHost, options);
}
// guide]

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
// Sends all of them, at the price of one wake-up where there is room.
absl::Status SendAll(ipc::Channel& channel, absl::Span<const ipc::Blob> messages) {
  while (true) {
    absl::StatusOr<size_t> sent = channel.TrySendBatch(messages);
    if (!sent.ok()) return sent.status();
    messages.remove_prefix(*sent);
    if (messages.empty()) return absl::OkStatus();
    if (absl::Status waited = channel.WaitToSend(); !waited.ok()) return waited;
  }
}

// Writes a message where the peer will read it.
absl::StatusOr<bool> TrySendNumbers(ipc::Channel& channel, uint8_t count) {
  absl::StatusOr<std::optional<absl::Span<std::byte>>> room = channel.TryReserve(count);
  if (!room.ok()) return room.status();
  if (!room->has_value()) return false;
  for (uint8_t i = 0; i < count; ++i) (**room)[i] = std::byte{i};
  return channel.TryCommit(count);
}

// Reads a message where the peer wrote it.
absl::StatusOr<size_t> CountZeros(ipc::Channel& channel) {
  while (true) {
    absl::StatusOr<std::optional<ipc::Blob>> message = channel.TryPeek();
    if (!message.ok()) return message.status();
    if (message->has_value()) {
      const size_t zeros = std::count((*message)->begin(), (*message)->end(), std::byte{0});
      if (absl::Status released = channel.Release(); !released.ok()) return released;
      return zeros;
    }
    if (absl::Status waited = channel.WaitToReceive(); !waited.ok()) return waited;
  }
}
// guide]

// [guide
absl::StatusOr<std::string> AskForGreeting(memory::Session& session) {
  auto channel = ipc::StructuredChannel<Greeting>::Upgrade(session.TakeChannel(0), session);
  ipc::Message<Greeting> request = channel.NewMessage();
  request.body().setName("Ada");
  absl::StatusOr<ipc::Incoming<Greeting>> answer = channel.Request(std::move(request), absl::Seconds(5));
  if (!answer.ok()) return answer.status();
  if (!answer->body().isText()) return absl::InvalidArgumentError("a text was to come");
  return std::string(answer->body().getText().cStr());
}

absl::Status AnswerGreetings(memory::Session& session) {
  auto channel = ipc::StructuredChannel<Greeting>::Upgrade(session.TakeChannel(0), session);
  while (true) {
    absl::StatusOr<ipc::Incoming<Greeting>> request = channel.Receive(ipc::Deadline::Never());
    if (ipc::ReasonOf(request.status()) == ipc::Reason::kGoodbye) return absl::OkStatus();
    if (!request.ok()) return request.status();
    if (!request->body().isName()) return absl::InvalidArgumentError("a name was to come");
    ipc::Message<Greeting> answer = channel.NewMessage();
    answer.body().setText(absl::StrCat("Hello, ", request->body().getName().cStr()));
    if (absl::Status sent = request->Reply(std::move(answer)); !sent.ok()) return sent;
  }
}
// guide]

// [guide
using Prices = ipc::shm::map<ipc::shm::string, double>;

// In the host, before clients come. It lives as long as somebody here owns it, or a client has it borrowed.
absl::StatusOr<std::shared_ptr<Prices>> MakePrices(memory::Server& server) {
  auto arena = server.ArenaFor(kGreeter.name);
  if (!arena.ok()) return arena.status();
  absl::StatusOr<std::shared_ptr<Prices>> prices = arena->Construct<Prices>();
  if (!prices.ok()) return prices.status();
  (*prices)->emplace("tea", 2.5);
  (*prices)->emplace("a pot of the tea that the house is famous for", 8.0);
  return prices;
}

// To each client.
absl::Status LendPrices(memory::Session& session, const std::shared_ptr<Prices>& prices) {
  ipc::Channel channel = session.TakeChannel(0);
  absl::StatusOr<ipc::shm::Loan> loan = session.Lend(prices);
  if (!loan.ok()) return loan.status();
  return ipc::shm::SendLoan(channel, *std::move(loan));
}

// In a client.
absl::StatusOr<std::shared_ptr<const Prices>> BorrowPrices(memory::Session& session) {
  ipc::Channel channel = session.TakeChannel(0);
  absl::StatusOr<ipc::shm::LoanRef> ref = ipc::shm::ReceiveLoan(channel, absl::Seconds(5));
  if (!ref.ok()) return ref.status();
  return session.Borrow<Prices>(*ref);
}
// guide]

// [guide
struct Menu {
  memory::OwnArena arena;
  std::shared_ptr<Prices> prices;
};

// At any time, with or without sessions.
absl::StatusOr<Menu> MakeMenu() {
  absl::StatusOr<memory::OwnArena> arena = memory::OwnArena::Create(uint64_t{64} << 20);
  if (!arena.ok()) return arena.status();
  absl::StatusOr<std::shared_ptr<Prices>> prices = arena->Construct<Prices>();
  if (!prices.ok()) return prices.status();
  (*prices)->emplace("tea", 2.5);
  return Menu{*std::move(arena), *std::move(prices)};
}

// To each peer, whichever side this is; it borrows as ever.
absl::Status LendMenu(memory::Session& session, const Menu& menu) {
  if (absl::Status shared = session.Share(menu.arena); !shared.ok()) return shared;  // Once more does nothing.
  ipc::Channel channel = session.TakeChannel(0);
  absl::StatusOr<ipc::shm::Loan> loan = session.Lend(menu.prices);
  if (!loan.ok()) return loan.status();
  return ipc::shm::SendLoan(channel, *std::move(loan));
}
// guide]

// [guide
absl::StatusOr<size_t> WaitThreeTimes(ipc::Channel& channel, absl::Span<std::byte> buffer) {
  channel.set_wait_mode(ipc::WaitMode::kSleep);
  absl::StatusOr<std::optional<size_t>> now = channel.TryReceive(buffer);  // Never waits; nullopt: nothing is there.
  if (!now.ok()) return now.status();
  if (now->has_value()) return **now;
  absl::StatusOr<size_t> soon = channel.Receive(buffer, nullptr, absl::Milliseconds(1));
  if (!absl::IsDeadlineExceeded(soon.status())) return soon;
  return channel.Receive(buffer, nullptr, ipc::Deadline::Never());
}
// guide]

// [guide
// Hands each message to `handle` until the peer has finished. poll(2) stands for the event loop.
absl::Status HandleAll(ipc::Channel& channel, const std::function<void(ipc::Blob)>& handle) {
  absl::StatusOr<ipc::Waitable> waitable = channel.ReceiveWaitable();
  if (!waitable.ok()) return waitable.status();
  pollfd poll_fd = {.fd = waitable->fd.get(), .events = waitable->events, .revents = 0};
  std::vector<std::byte> buffer(channel.max_message_bytes());
  while (true) {
    absl::StatusOr<std::optional<size_t>> bytes = channel.TryReceive(absl::MakeSpan(buffer));
    if (absl::IsOutOfRange(bytes.status())) return absl::OkStatus();
    if (!bytes.ok()) return bytes.status();
    if (bytes->has_value()) {
      handle(absl::MakeConstSpan(buffer).first(**bytes));
    } else {
      poll(&poll_fd, 1, -1);  // Only now: nothing more was there.
    }
  }
}
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

// [guide
absl::StatusOr<ipc::SocketListener> ListenAt(const std::string& path) {
  return ipc::SocketListener::Listen(path, {.permissions = ipc::Permissions::kGroup});
}

absl::Status EchoOnce(ipc::SocketListener& listener) {
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> pipe = listener.Accept();
  if (!pipe.ok()) return pipe.status();
  std::array<std::byte, 64> buffer;
  absl::StatusOr<size_t> bytes = (*pipe)->Receive(absl::MakeSpan(buffer));
  if (!bytes.ok()) return bytes.status();
  return (*pipe)->Send(absl::MakeSpan(buffer).first(*bytes));
}

absl::StatusOr<size_t> AskOnce(const std::string& path, ipc::Blob question, absl::Span<std::byte> answer) {
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> pipe = ipc::SocketPipe::Connect(path);
  if (!pipe.ok()) return pipe.status();
  if (absl::Status sent = (*pipe)->Send(question); !sent.ok()) return sent;
  return (*pipe)->Receive(answer);
}
// guide]

// [guide
// May be called by several threads at once.
class FileSink : public ipc::LogSink {
 public:
  explicit FileSink(std::FILE* file) : file_(file) {}
  void Write(ipc::LogLevel level, absl::string_view text) override {
    const char* const name = level == ipc::LogLevel::kError ? "ERROR" : "WARNING";
    std::fprintf(file_, "%s %.*s\n", name, static_cast<int>(text.size()), text.data());
  }

 private:
  std::FILE* const file_;
};

// `sink` must outlive its use; nullptr instead switches logging off.
void LogTo(FileSink& sink) { ipc::SetLogSink(&sink, ipc::LogLevel::kWarning); }
// guide]

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

MATCHER_P(PartOf, text, "is a part of the text") { return !arg.empty() && absl::StrContains(text, arg); }

SessionOptions OptionsIn(const std::string& folder) {
  SessionOptions options;
  options.channels = 2;
  options.run_folder = folder;
  options.deadline = Deadline(TimeLimit());
  return options;
}

// A host in `folder` that serves each client with `serve_client`, until it is killed.
int HostIn(const std::string& folder, absl::Status (*serve_client)(memory::Session&)) {
  absl::StatusOr<memory::Server> server = ::Listen(OptionsIn(folder));
  TellParent(server.ok() ? "listening" : server.status().ToString());
  return server.ok() && Serve(*server, serve_client).ok() ? 0 : 1;
}

SLUICE_CHILD_ROLE(greeting_host) { return HostIn(arguments[0], &AnswerGreetings); }

SLUICE_CHILD_ROLE(price_host) {
  absl::StatusOr<memory::Server> server = ::Listen(OptionsIn(arguments[0]));
  absl::StatusOr<std::shared_ptr<Prices>> prices = server.ok() ? MakePrices(*server) : server.status();
  TellParent(prices.ok() ? "listening" : prices.status().ToString());
  std::vector<memory::Session> sessions;
  for (int i = 0; i < 2 && prices.ok(); ++i) {
    absl::StatusOr<memory::Session> session = server->Accept(TimeLimit());
    if (!session.ok() || !LendPrices(*session, *prices).ok()) return 1;
    sessions.push_back(*std::move(session));
  }
  return HearParent() == "end" ? 0 : 1;
}

// Asks what it is lent for the price of tea.
SLUICE_CHILD_ROLE(thirsty_host) {
  return HostIn(arguments[0], [](memory::Session& session) {
    const absl::StatusOr<std::shared_ptr<const Prices>> menu = BorrowPrices(session);
    TellParent(menu.ok() ? absl::StrCat((*menu)->find("tea")->second) : menu.status().ToString());
    return menu.status();
  });
}

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

SLUICE_CHILD_ROLE(echo) {
  absl::StatusOr<SocketListener> listener = ListenAt(arguments[0]);
  TellParent(listener.ok() ? "listening" : listener.status().ToString());
  return listener.ok() && EchoOnce(*listener).ok() ? 0 : 1;
}

class GuideTest : public ::testing::Test {
 protected:
  // A host in a process of its own.
  void StartHost(absl::string_view role) {
    host_.emplace(Child::Start(role, {folder_.path()}));
    ASSERT_EQ(host_->Hear(), "listening");
  }
  // The same, and a session with it.
  void Meet(absl::string_view role) {
    StartHost(role);
    ASSERT_OK_AND_ASSIGN(session_, ::Connect(OptionsIn(folder_.path())));
  }

  TempDir folder_;
  std::optional<Child> host_;
  std::optional<memory::Session> session_;
};

TEST_F(GuideTest, RequestsAreAnswered) {
  Meet("greeting_host");
  EXPECT_THAT(AskForGreeting(*session_), IsOkAndHolds("Hello, Ada"));
  session_.reset();
  ASSERT_OK_AND_ASSIGN(memory::Session next, ::Connect(OptionsIn(folder_.path())));
  EXPECT_THAT(AskForGreeting(next), IsOkAndHolds("Hello, Ada"));
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

TEST_F(GuideTest, OneWaitEndsWithTheMessage) {
  ASSERT_OK_AND_ASSIGN(auto ends, SocketPipe::CreatePair());
  Channel receiver(std::move(ends.first));
  std::thread sender([&] { EXPECT_OK(ends.second->Send(std::as_bytes(std::span("hi", 2)))); });
  std::array<std::byte, 16> buffer;
  EXPECT_THAT(WaitThreeTimes(receiver, absl::MakeSpan(buffer)), IsOkAndHolds(2u));
  sender.join();
}

TEST_F(GuideTest, MessagesGoInBatchesAndInPlace) {
  ASSERT_OK_AND_ASSIGN(auto ends, SocketPipe::CreatePair());
  Channel sender(std::move(ends.first));
  Channel receiver(std::move(ends.second));
  const std::byte zeros[3] = {};
  EXPECT_OK(SendAll(sender, {Blob(zeros), Blob(zeros, 2)}));
  EXPECT_THAT(TrySendNumbers(sender, 5), IsOkAndHolds(true));
  for (const size_t count : {3, 2, 1}) EXPECT_THAT(CountZeros(receiver), IsOkAndHolds(count));
}

TEST_F(GuideTest, AnEventLoopHandlesAll) {
  ASSERT_OK_AND_ASSIGN(auto ends, RingPipe::CreatePair());
  Channel sender(std::move(ends.first));
  Channel receiver(std::move(ends.second));
  std::thread thread([&] {
    for (size_t size = 0; size < 100; ++size) EXPECT_OK(sender.Send(std::vector<std::byte>(size)));
    EXPECT_OK(sender.FinishSending());
  });
  size_t next = 0;
  EXPECT_OK(HandleAll(receiver, [&](Blob message) { EXPECT_EQ(message.size(), next++); }));
  EXPECT_EQ(next, 100u);
  thread.join();
}

TEST_F(GuideTest, ErrorsHaveReasons) {
  EXPECT_EQ(WhatToDo(::Connect(OptionsIn(folder_.path())).status()), "start the server");
  StartHost("greeting_host");
  EXPECT_EQ(WhatToDo(memory::Session::Connect({.name = "stranger"}, kHost, OptionsIn(folder_.path())).status()),
            "add the app to the server's allowed_clients");
  ASSERT_OK_AND_ASSIGN(session_, ::Connect(OptionsIn(folder_.path())));
  host_->Kill();
  EXPECT_EQ(WhatToDo(session_->WaitForEnd(TimeLimit())), "connect again: the peer has died");
}

TEST_F(GuideTest, AGoodbyeIsTold) {
  Meet("file_host");  // Closes its session when it has sent.
  EXPECT_EQ(WhatToDo(session_->WaitForEnd(TimeLimit())), "nothing: the peer has closed the session");
}

TEST_F(GuideTest, ASocketNeedsNoSession) {
  const std::string path = absl::StrCat(folder_.path(), "/socket");
  Child echo = Child::Start("echo", {path});
  ASSERT_EQ(echo.Hear(), "listening");
  std::array<std::byte, 16> answer;
  EXPECT_THAT(AskOnce(path, std::as_bytes(std::span("hi", 2)), absl::MakeSpan(answer)), IsOkAndHolds(2u));
  EXPECT_EQ(echo.Wait(), 0);
}

TEST_F(GuideTest, LogLinesGoToTheSink) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  FileSink sink(file);
  LogTo(sink);
  Log(LogLevel::kWarning, "so it is");
  ResetLogSink();
  std::rewind(file);
  char line[64] = "";
  EXPECT_NE(std::fgets(line, sizeof(line), file), nullptr);
  std::fclose(file);
  EXPECT_STREQ(line, "WARNING so it is\n");
}

TEST_F(GuideTest, ManyClientsReadOneObject) {
  Meet("price_host");
  ASSERT_OK_AND_ASSIGN(memory::Session other, ::Connect(OptionsIn(folder_.path())));
  ASSERT_OK_AND_ASSIGN(const auto prices, BorrowPrices(*session_));
  ASSERT_OK_AND_ASSIGN(const auto same_prices, BorrowPrices(other));
  EXPECT_EQ(prices, same_prices) << "it lies at one place";
  EXPECT_EQ(prices->find("tea")->second, 2.5);
  EXPECT_EQ(prices->find("a pot of the tea that the house is famous for")->second, 8.0);
  host_->Tell("end");
  EXPECT_EQ(host_->Wait(), 0);
}

TEST_F(GuideTest, ManySessionsShareAnArena) {
  Meet("thirsty_host");
  ASSERT_OK_AND_ASSIGN(const Menu menu, MakeMenu());
  EXPECT_OK(LendMenu(*session_, menu));
  EXPECT_EQ(host_->Hear(), "2.5");
  ASSERT_OK_AND_ASSIGN(memory::Session next, ::Connect(OptionsIn(folder_.path())));
  EXPECT_OK(LendMenu(next, menu));
  EXPECT_EQ(host_->Hear(), "2.5");
}

// Appends the snippets of a source that must have some.
void AppendSnippets(const std::string& source, std::vector<std::string>& snippets) {
  const std::vector<std::string> found = Snippets(source);
  EXPECT_THAT(found, Not(IsEmpty())) << source;
  snippets.insert(snippets.end(), found.begin(), found.end());
}

TEST(GuideTextTest, ShowsWhatIsCompiled) {
  std::vector<std::string> compiled;
  for (const char* const source : {"GUIDE_TEST", "OWN_PIPE_HEADER", "OWN_PIPE"}) {
    AppendSnippets(FileNamedBy(source), compiled);
  }
  for (const char* const sources : {"STRUCTURED_EXAMPLES", "INDEX_EXAMPLE"}) {
    for (const std::string& source : FilesNamedBy(sources)) AppendSnippets(source, compiled);
  }
  // The guide has its own order.
  EXPECT_THAT(CodeBlocks(FileNamedBy("GUIDE"), "cpp"), UnorderedElementsAreArray(compiled));
}

TEST(GuideTextTest, TheCodeOfAPageIsShort) {
  std::vector<std::string> snippets;
  for (const char* const sources : {"STRUCTURED_EXAMPLES", "INDEX_EXAMPLE"}) {
    for (const std::string& source : FilesNamedBy(sources)) AppendSnippets(source, snippets);
  }
  for (const std::string& snippet : snippets) {
    EXPECT_LT(std::count(snippet.begin(), snippet.end(), '\n'), 25) << snippet;
  }
}

TEST(GuideTextTest, ShowsTheSchemas) {
  EXPECT_THAT(CodeBlocks(FileNamedBy("GUIDE"), "capnp"),
              ElementsAre(PartOf(FileNamedBy("GUIDE_SCHEMA")), PartOf(FileNamedBy("FILES_SCHEMA"))));
}

// Every section is in the table of contents, and nothing else is.
TEST(GuideTextTest, TheTableOfContentsIsComplete) {
  std::vector<std::string> sections;
  std::vector<std::string> listed;
  for (const absl::string_view line : absl::StrSplit(FileNamedBy("GUIDE"), '\n')) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "## ")) {
      const std::string anchor = absl::StrReplaceAll(absl::AsciiStrToLower(rest), {{" ", "-"}, {"'", ""}});
      sections.push_back(absl::StrCat("[", rest, "](#", anchor, ")"));
    }
    if (absl::ConsumePrefix(&rest, "  - [") && absl::StrContains(rest, "](#"))
      listed.push_back(absl::StrCat("[", rest));
  }
  EXPECT_EQ(listed, sections);
}

}  // namespace
}  // namespace ipc::testing
