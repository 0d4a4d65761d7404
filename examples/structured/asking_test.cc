#include "examples/structured/asking.h"

#include <sstream>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/structured/connected.h"
#include "examples/structured/file_channel.h"
#include "examples/structured/files.capnp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace files {
namespace {

using ::ipc::testing::IsOk;
using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;
using ::ipc::testing::TimeLimit;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Files& SomeFiles() {
  static const auto* const files = new Files{{"a/one", "1"}, {"a/two", "2"}, {"b", "3"}};
  return *files;
}

TEST(NotifyTest, TheServiceWritesEachLine) {
  Connection ends = Connect();
  std::ostringstream log;
  std::thread writer([&] { EXPECT_OK(WriteLog(ends.service, log)); });
  EXPECT_OK(Log(ends.client, "hello"));
  EXPECT_OK(Log(ends.client, "goodbye"));
  ends.client.Close();
  writer.join();
  EXPECT_EQ(log.str(), "hello\ngoodbye\n");
}

TEST(RequestTest, EachGetsItsAnswer) {
  Connection ends = Connect();
  std::thread server([&] { EXPECT_OK(ServeReads(ends.service, SomeFiles())); });
  EXPECT_THAT(Read(ends.client, "a/two"), IsOkAndHolds("2"));
  EXPECT_THAT(Read(ends.client, "c"), StatusIs(absl::StatusCode::kNotFound, "there is no such file"));
  ends.client.Close();
  server.join();
}

TEST(RequestTest, CallbacksGetTheirAnswersInDispatch) {
  Connection ends = Connect();
  Files got;
  for (const auto& [name, text] : SomeFiles()) {
    EXPECT_OK(ReadThen(ends.client, name, [&got, name = name](const absl::StatusOr<std::string>& answer) {
      ASSERT_THAT(answer, IsOk());
      got[name] = *answer;
    }));
  }
  EXPECT_THAT(got, IsEmpty());
  std::thread server([&] { EXPECT_OK(ServeReads(ends.service, SomeFiles())); });
  while (got.size() < SomeFiles().size()) ASSERT_OK(ends.client.Dispatch(TimeLimit()));
  EXPECT_EQ(got, SomeFiles());
  ends.client.Close();
  server.join();
}

TEST(ManyAnswersTest, AllNamesComeInOrder) {
  Connection ends = Connect();
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<ipc::Incoming<Body>> request = ends.service.Receive(TimeLimit());
      ASSERT_THAT(request, IsOk());
      EXPECT_OK(AnswerList(ends.service, SomeFiles(), *request));
    }
  });
  EXPECT_THAT(List(ends.client, "a/"), IsOkAndHolds(ElementsAre("a/one", "a/two")));
  EXPECT_THAT(List(ends.client, "c"), IsOkAndHolds(IsEmpty()));
  server.join();
}

}  // namespace
}  // namespace files
