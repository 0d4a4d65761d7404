// The example as a user runs it, with its clients.

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/readable.h"

namespace ipc::testing {
namespace {

// Becomes the example; it prints into what it inherits.
SLUICE_CHILD_ROLE(front) {
  dup2(InheritedFd().get(), STDOUT_FILENO);
  execl(std::getenv("SOCKET_HANDOFF"), "socket_handoff", arguments[0].c_str(), nullptr);
  return 1;
}

// The next `size` bytes; fewer when the stream ends, or nothing comes within the time limit.
std::string ReadBytes(FdView fd, size_t size) {
  std::string bytes(size, '\0');
  size_t count = 0;
  while (count < size && BecomesReadable(fd)) {
    const ssize_t more = read(fd.get(), bytes.data() + count, size - count);
    if (more <= 0) break;
    count += more;
  }
  bytes.resize(count);
  return bytes;
}

// Without its end; "" when none comes.
std::string ReadLine(FdView fd) {
  std::string line;
  for (std::string c = ReadBytes(fd, 1); !c.empty() && c != "\n"; c = ReadBytes(fd, 1)) line += c;
  return line;
}

size_t CountSocketsOf(pid_t pid) {
  const std::string folder = absl::StrCat("/proc/", pid, "/fd");
  size_t count = 0;
  DIR* const entries = opendir(folder.c_str());
  if (entries == nullptr) return 0;
  while (const dirent* entry = readdir(entries)) {
    char target[64] = {};
    if (readlink(absl::StrCat(folder, "/", entry->d_name).c_str(), target, sizeof(target) - 1) < 0) continue;
    if (absl::StartsWith(target, "socket:")) ++count;
  }
  closedir(entries);
  return count;
}

// The example, running.
class Front {
 public:
  explicit Front(const std::string& flag = "--line_time=30s") {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    output_ = Fd(ends[0]);
    const Fd input(ends[1]);
    process_ = std::make_unique<Child>(Child::Start("front", {flag}, {.environment = {}, .inherited = input}));
    worker_ = NumberAfter("front: started worker ");
    port_ = NumberAfter("front: listens on 127.0.0.1:");
  }

  int port() const { return port_; }
  pid_t worker() const { return worker_; }
  Child& process() { return *process_; }

  // The next line of its output.
  std::string Says() { return ReadLine(output_); }

  // The number that the next line ends with, after `words`.
  int NumberAfter(absl::string_view words) {
    const std::string line = Says();
    int number = 0;
    EXPECT_TRUE(absl::StartsWith(line, words) && absl::SimpleAtoi(absl::StripPrefix(line, words), &number)) << line;
    return number;
  }

 private:
  Fd output_;
  std::unique_ptr<Child> process_;
  pid_t worker_;
  int port_;
};

class Client {
 public:
  explicit Client(const Front& front) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = {.sin_family = AF_INET,
                                 .sin_port = htons(front.port()),
                                 .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
                                 .sin_zero = {}};
    if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) std::abort();
  }

  void Send(absl::string_view bytes) {
    EXPECT_EQ(send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void Finish() { shutdown(socket_.get(), SHUT_WR); }

  std::string Hear() { return ReadLine(socket_); }
  std::string HearBytes(size_t size) { return ReadBytes(socket_, size); }

  // Whether the server ends the connection, and says nothing before.
  bool IsEnded() { return BecomesReadable(socket_) && ReadBytes(socket_, 1).empty(); }

 private:
  Fd socket_;
};

// `size` bytes, all of them different from their neighbours.
std::string Pattern(size_t size) {
  std::string bytes;
  while (bytes.size() < size) absl::StrAppend(&bytes, bytes.size(), ",");
  bytes.resize(size);
  return bytes;
}

TEST(SocketHandoffTest, ServesSeveralClientsAtOnce) {
  Front front;
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(front);
  // All of them are connected before the first is served, and are served from the last to the first.
  for (int i = 7; i >= 0; --i) clients[i].Send(absl::StrCat("HELLO client ", i, "\n"));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(clients[i].Hear(), absl::StrCat("WELCOME client ", i));
  for (int i = 0; i < 8; ++i) clients[i].Send(absl::StrCat("I am ", i, "\n"));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(clients[i].Hear(), absl::StrCat("I am ", i));
  for (Client& client : clients) {
    client.Finish();
    EXPECT_TRUE(client.IsEnded());
  }
}

TEST(SocketHandoffTest, NothingAfterTheLineIsLost) {
  Front front;
  const std::string text = Pattern(20'000);  // More than the front takes with the line.
  Client client(front);
  client.Send(absl::StrCat("HELLO Ada\n", text));
  client.Send("more");
  EXPECT_EQ(client.Hear(), "WELCOME Ada");
  EXPECT_EQ(client.HearBytes(text.size() + 4), text + "more");
}

TEST(SocketHandoffTest, ALineMayComeInPieces) {
  Front front;
  Client client(front);
  for (const char c : std::string("HELLO A\n\nB")) client.Send(std::string(1, c));
  EXPECT_EQ(client.Hear(), "WELCOME A");
  EXPECT_EQ(client.HearBytes(2), "\nB");
}

TEST(SocketHandoffTest, TheFrontKeepsNoCopyOfASocket) {
  Front front;
  const size_t sockets = CountSocketsOf(front.process().pid());
  EXPECT_GE(sockets, 2u);  // The listener, and the pipe.
  const size_t workers_sockets = CountSocketsOf(front.worker());
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(front).Send("HELLO x\n");
    EXPECT_EQ(clients.back().Hear(), "WELCOME x");
    EXPECT_EQ(front.Says(), "front: handed over a client and 8 bytes");
  }
  EXPECT_EQ(CountSocketsOf(front.process().pid()), sockets);
  EXPECT_EQ(CountSocketsOf(front.worker()), workers_sockets + 5);
  for (Client& client : clients) {
    client.Finish();
    EXPECT_TRUE(client.IsEnded());  // As nobody else holds the socket.
  }
  // The worker closes a socket before it waits for the next event, so that one more client has seen all of them closed.
  Client last(front);
  last.Send("HELLO y\n");
  EXPECT_EQ(last.Hear(), "WELCOME y");
  EXPECT_EQ(CountSocketsOf(front.worker()), workers_sockets + 1);
}

TEST(SocketHandoffTest, SendsAwayWhoSaysNothing) {
  Front front("--line_time=100ms");
  Client client(front);
  client.Send("HELLO but no end of the line");
  EXPECT_EQ(client.Hear(), "SORRY, that took too long");
  EXPECT_TRUE(client.IsEnded());
}

TEST(SocketHandoffTest, SendsAwayWhoSaysTheWrongThing) {
  Front front;
  Client rude(front);
  rude.Send("GET / HTTP/1.1\n");
  EXPECT_EQ(rude.Hear(), "SORRY, say HELLO and your name");
  EXPECT_TRUE(rude.IsEnded());
  Client longest(front);
  longest.Send(absl::StrCat("HELLO ", std::string(249, 'x'), "\n"));
  EXPECT_EQ(longest.Hear(), absl::StrCat("WELCOME ", std::string(249, 'x')));
  Client longer(front);
  longer.Send(absl::StrCat("HELLO ", std::string(250, 'x'), "\n"));
  EXPECT_EQ(longer.Hear(), "SORRY, that line is too long");
  EXPECT_TRUE(longer.IsEnded());
  Client endless(front);
  endless.Send(absl::StrCat("HELLO ", std::string(250, 'x')));
  EXPECT_EQ(endless.Hear(), "SORRY, that line is too long");
}

// B1
TEST(SocketHandoffTest, ASlowWorkerHoldsClientsUpAndLosesNothing) {
  constexpr int kMostClients = 400;
  Front front;
  kill(front.worker(), SIGSTOP);
  const std::string text = Pattern(4000);
  std::vector<Client> clients;
  std::string said;
  do {
    clients.emplace_back(front).Send(absl::StrCat("HELLO ", clients.size(), "\n", text));
    said = front.Says();
  } while (absl::StartsWith(said, "front: handed over") && clients.size() < kMostClients);
  EXPECT_EQ(said, "front: the worker has no room");
  // These wait with the front, or in the queue of its listener.
  for (int i = 0; i < 20; ++i) clients.emplace_back(front).Send(absl::StrCat("HELLO ", clients.size(), "\n", text));

  kill(front.worker(), SIGCONT);
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i].Hear(), absl::StrCat("WELCOME ", i + 1));
    EXPECT_EQ(clients[i].HearBytes(text.size()), text);
    clients[i].Finish();
  }
}

TEST(SocketHandoffTest, AnswersPolitelyWhenTheWorkerHasDied) {
  Front front;
  Client served(front);
  served.Send("HELLO first\n");
  EXPECT_EQ(served.Hear(), "WELCOME first");
  EXPECT_EQ(front.Says(), "front: handed over a client and 12 bytes");

  kill(front.worker(), SIGKILL);
  EXPECT_TRUE(served.IsEnded());  // Nobody has its socket any more.
  Client unlucky(front);
  unlucky.Send("HELLO second\n");
  EXPECT_EQ(unlucky.Hear(), "SORRY, the worker is gone; try again");
  EXPECT_TRUE(unlucky.IsEnded());
  EXPECT_TRUE(absl::StartsWith(front.Says(), "front: lost the worker: "));
  EXPECT_NE(front.NumberAfter("front: started worker "), front.worker());
  Client lucky(front);
  lucky.Send("HELLO third\n");
  EXPECT_EQ(lucky.Hear(), "WELCOME third");
}

// The same for a client that waits for room when the worker dies.
TEST(SocketHandoffTest, AnswersPolitelyWhenTheWorkerDiesWithItsPipeFull) {
  constexpr int kMostClients = 400;
  Front front;
  kill(front.worker(), SIGSTOP);
  const std::string text = Pattern(4000);
  std::vector<Client> clients;
  std::string said;
  do {
    clients.emplace_back(front).Send(absl::StrCat("HELLO x\n", text));
    said = front.Says();
  } while (absl::StartsWith(said, "front: handed over") && clients.size() < kMostClients);
  EXPECT_EQ(said, "front: the worker has no room");
  kill(front.worker(), SIGKILL);
  EXPECT_EQ(clients.back().Hear(), "SORRY, the worker is gone; try again");
  clients.pop_back();
  for (Client& client : clients) EXPECT_EQ(client.Hear(), "");  // They were in the pipe.
}

TEST(SocketHandoffTest, TheWorkerServesItsClientsToTheirEndWithoutTheFront) {
  Front front;
  const Fd worker(static_cast<int>(syscall(SYS_pidfd_open, front.worker(), 0)));
  Client client(front);
  client.Send("HELLO Ada\n");
  EXPECT_EQ(client.Hear(), "WELCOME Ada");
  kill(front.process().pid(), SIGTERM);
  EXPECT_EQ(front.process().Wait(), 0);
  client.Send("still there?\n");
  EXPECT_EQ(client.Hear(), "still there?");
  client.Finish();
  EXPECT_TRUE(client.IsEnded());
  EXPECT_TRUE(BecomesReadable(worker));  // It has ended.
}

}  // namespace
}  // namespace ipc::testing
