#include "examples/structured/serving.h"

#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "examples/structured/asking.h"
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

using ::ipc::testing::IsOkAndHolds;

const Files& SomeFiles() {
  static const auto* const files = new Files{{"one", "1"}, {"two", "2"}};
  return *files;
}

TEST(HandlersTest, RunByTypeUntilTheClientIsGone) {
  Connection ends = Connect();
  std::ostringstream log;
  FileServer server(std::move(ends.service), SomeFiles(), log);
  std::thread thread([&] { EXPECT_OK(server.Run()); });
  EXPECT_OK(Log(ends.client, "Ada"));
  EXPECT_OK(Log(ends.client, "reads"));
  EXPECT_THAT(Read(ends.client, "two"), IsOkAndHolds("2"));
  ipc::Message<Body> other = ends.client.NewMessage();
  other.body().setDone();
  EXPECT_OK(ends.client.Send(std::move(other)));
  ends.client.Close();
  thread.join();
  EXPECT_EQ(log.str(), "hello, Ada\nreads\nwhat was that?\nthe client is gone\n");
}

TEST(EventLoopTest, OneThreadServesAllClients) {
  Connection first = Connect();
  Connection second = Connect();
  std::ostringstream log;
  FileServer one(std::move(first.service), SomeFiles(), log);
  FileServer two(std::move(second.service), SomeFiles(), log);
  FileServer* const servers[] = {&one, &two};
  std::thread thread([&] { EXPECT_OK(RunAll(servers)); });
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(Read(first.client, "one"), IsOkAndHolds("1"));
    EXPECT_THAT(Read(second.client, "two"), IsOkAndHolds("2"));
  }
  first.client.Close();
  EXPECT_THAT(Read(second.client, "one"), IsOkAndHolds("1"));
  second.client.Close();
  thread.join();
  EXPECT_EQ(log.str(), "the client is gone\nthe client is gone\n");
}

TEST(ThreadsTest, EachGetsItsOwnAnswer) {
  Connection ends = Connect();
  Files files;
  std::vector<std::string> names;
  for (int i = 0; i < 12; ++i) {
    names.push_back(absl::StrCat("file ", i));
    files[names.back()] = absl::StrCat("text ", i);
  }
  std::thread server([&] { ServeInThreads(ends.service, files, 3); });
  const std::vector<absl::StatusOr<std::string>> texts = ReadInThreads(ends.client, names);
  ASSERT_EQ(texts.size(), names.size());
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_THAT(texts[i], IsOkAndHolds(files[names[i]]));
  ends.client.Close();
  server.join();
}

}  // namespace
}  // namespace files
