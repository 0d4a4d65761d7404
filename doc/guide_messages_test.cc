// Code of guide.md, compiled and run: what lies between the marks stands there word for word. Typed messages.

#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "doc/guide.capnp.h"
#include "doc/guide_testing.h"
#include "doc/guide_universe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"
#include "kj/exception.h"

namespace memory = ipc::session::shm::classic;
using guide::Greeting;

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
// A polite version of what came from elsewhere, to be sent to many.
absl::StatusOr<ipc::FrozenMessage<Greeting>> Polite(Greeting::Reader greeting) {
  auto message = ipc::Message<Greeting>::CopyOf(greeting);  // On the heap; no channel is needed.
  message.body().setText(absl::StrCat("Dear ", greeting.getName().cStr()));
  std::cerr << message.DebugString() << "\n";  // (text = "Dear Ada")
  return std::move(message).Freeze();
}

// Whether there is room for a picture is known before it is drawn.
absl::StatusOr<ipc::Message<Greeting>> NewPicture(ipc::StructuredChannel<Greeting>& channel, uint32_t bytes) {
  ipc::Message<Greeting> message = channel.NewMessage({.reserve_bytes = bytes + size_t{64}});
  if (absl::Status reserved = message.status(); !reserved.ok()) return reserved;
  message.body().initPicture(bytes);
  return message;
}
// guide]

// [guide
namespace careful = ipc::session::shm::jemalloc;

// Serves a client that may mean harm.
absl::Status AnswerCarefully(careful::Session& session) {
  ipc::StructuredChannelOptions options;
  options.trust = ipc::Trust::kUntrusted;
  options.max_heap_message_bytes = 1 << 20;
  auto channel = ipc::StructuredChannel<Greeting>::Upgrade(session.TakeChannel(0), session, options);
  absl::StatusOr<ipc::Incoming<Greeting>> request = channel.Receive(absl::Seconds(5));
  if (!request.ok()) return request.status();
  ipc::Message<Greeting> answer = channel.NewMessage();
  try {
    answer.body().setText(absl::StrCat("Hello, ", request->body().getName().cStr()));
  } catch (const kj::Exception& malformed) {
    return absl::DataLossError(malformed.getDescription().cStr());
  }
  return request->Reply(std::move(answer), absl::Seconds(1));
}
// guide]

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

SLUICE_CHILD_ROLE(greeting_host) { return HostIn(arguments[0], &AnswerGreetings); }

SLUICE_CHILD_ROLE(careful_host) {
  absl::StatusOr<careful::Server> server =
      careful::Server::Listen(kHost, {.clients = {kGreeter}, .session = OptionsIn(arguments[0])});
  TellParent(server.ok() ? "listening" : server.status().ToString());
  if (!server.ok()) return 1;
  absl::StatusOr<careful::Session> session = server->Accept(TimeLimit());
  if (!session.ok() || !AnswerCarefully(*session).ok()) return 1;
  return ReasonOf(session->WaitForEnd(TimeLimit())) == Reason::kGoodbye ? 0 : 1;
}

TEST_F(GuideTest, RequestsAreAnswered) {
  Meet("greeting_host");
  EXPECT_THAT(AskForGreeting(*session_), IsOkAndHolds("Hello, Ada"));
  session_.reset();
  ASSERT_OK_AND_ASSIGN(memory::Session next, ::Connect(OptionsIn(folder_.path())));
  EXPECT_THAT(AskForGreeting(next), IsOkAndHolds("Hello, Ada"));
}

TEST_F(GuideTest, AMessageIsCopiedAndShown) {
  Message<Greeting> greeting;
  greeting.body().setName("Ada");
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Greeting> polite, Polite(greeting.body().asReader()));
  EXPECT_STREQ(polite.body().getText().cStr(), "Dear Ada");
  EXPECT_EQ(polite.DebugString(), "(text = \"Dear Ada\")");
}

TEST_F(GuideTest, RoomIsReserved) {
  Meet("greeting_host");
  auto channel = StructuredChannel<Greeting>::Upgrade(session_->TakeChannel(0), *session_);
  EXPECT_OK(NewPicture(channel, 1 << 20));
}

TEST_F(GuideTest, ACarefulHostAnswersToo) {
  StartHost("careful_host");
  {
    ASSERT_OK_AND_ASSIGN(careful::Session session,
                         careful::Session::Connect(kGreeter, kHost, OptionsIn(folder_.path())));
    auto channel = StructuredChannel<Greeting>::Upgrade(session.TakeChannel(0), session);
    Message<Greeting> request = channel.NewMessage();
    request.body().setName("Ada");
    ASSERT_OK_AND_ASSIGN(const Incoming<Greeting> answer, channel.Request(std::move(request), TimeLimit()));
    EXPECT_STREQ(answer.body().getText().cStr(), "Hello, Ada");
  }
  EXPECT_EQ(host_->Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
