#include "ipc_util/log.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError};

class Lines : public LogSink {
 public:
  void Write(LogLevel level, absl::string_view text) override { lines.emplace_back(level, text); }

  std::vector<std::pair<LogLevel, std::string>> lines;
};

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { ResetLogSink(); }

  static void LogAll() {
    for (const LogLevel level : kLevels) Log(level, "text");
  }

  Lines sink_;
};

TEST_F(LogTest, ASinkGetsLinesOfItsLevelAndAbove) {
  SetLogSink(&sink_, LogLevel::kWarning);
  LogAll();
  EXPECT_THAT(sink_.lines, ElementsAre(Pair(LogLevel::kWarning, "text"), Pair(LogLevel::kError, "text")));
}

TEST_F(LogTest, InfoIsTheLevelOfASinkThatNamesNone) {
  SetLogSink(&sink_);
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
  EXPECT_TRUE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
}

TEST_F(LogTest, NoSinkIsNoLog) {
  SetLogSink(nullptr, LogLevel::kDebug);
  ::testing::internal::CaptureStderr();
  LogAll();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  for (const LogLevel level : kLevels) EXPECT_FALSE(LogEnabled(level));
}

TEST_F(LogTest, WarningsAndErrorsGoToStandardErrorByDefault) {
  SetLogSink(&sink_, LogLevel::kDebug);
  ResetLogSink();
  ::testing::internal::CaptureStderr();
  LogAll();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "sluice: text\nsluice: error: text\n");
  EXPECT_THAT(sink_.lines, IsEmpty());
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarning));
}

// Once `SetLogSink` has returned, the old sink can go: run under tsan and asan.
TEST_F(LogTest, SinksChangeUnderFire) {
  std::thread logger([] {
    for (int i = 0; i < 1000; ++i) Log(LogLevel::kError, "text");
  });
  for (int i = 0; i < 100; ++i) {
    Lines sink;
    SetLogSink(&sink);
    SetLogSink(&sink_);
  }
  logger.join();
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
