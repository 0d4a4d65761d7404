// Code of guide.md, compiled and run: what lies between the marks stands there word for word. Pipes without sessions.

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_listener.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/log.h"
#include "ipc_util/permissions.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

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
std::string Describe(const ipc::PipeCounters& counters) {
  return absl::StrCat(counters.sent.messages, " messages of ", counters.sent.bytes, " bytes sent, ",
                      counters.unread_bytes, " bytes unread, no room ", counters.sent.refused, " times, slept ",
                      counters.received.sleeps, " times for ", counters.received.messages, " messages");
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
constexpr size_t kFrameBytes = size_t{1} << 20;

// The one who writes.
absl::StatusOr<ipc::Region> ShareFrame(ipc::Channel& channel) {
  absl::StatusOr<ipc::Region> frame = ipc::Region::Create("frame", kFrameBytes, ipc::Sharing::kOneWriter);
  if (!frame.ok()) return frame.status();
  absl::StatusOr<ipc::Fd> for_reader = frame->OpenReadOnly();
  if (!for_reader.ok()) return for_reader.status();
  const ipc::FdView descriptors[] = {*for_reader};
  if (absl::Status sent = channel.Send({}, descriptors); !sent.ok()) return sent;
  return frame;
}

// The one who reads.
absl::StatusOr<ipc::Region> TakeFrame(ipc::Channel& channel) {
  std::byte nothing[1];
  std::vector<ipc::Fd> descriptors;
  absl::StatusOr<size_t> bytes = channel.Receive(absl::MakeSpan(nothing), &descriptors);
  if (!bytes.ok()) return bytes.status();
  if (descriptors.size() != 1) return absl::InvalidArgumentError("a region was to come");
  return ipc::Region::Map(std::move(descriptors[0]), kFrameBytes, ipc::Access::kReadOnly, ipc::Sharing::kOneWriter);
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

using ::testing::HasSubstr;

SLUICE_CHILD_ROLE(echo) {
  absl::StatusOr<SocketListener> listener = ListenAt(arguments[0]);
  TellParent(listener.ok() ? "listening" : listener.status().ToString());
  return listener.ok() && EchoOnce(*listener).ok() ? 0 : 1;
}

TEST(GuidePipesTest, OneWaitEndsWithTheMessage) {
  ASSERT_OK_AND_ASSIGN(auto ends, SocketPipe::CreatePair());
  Channel receiver(std::move(ends.first));
  std::thread sender([&] { EXPECT_OK(ends.second->Send(std::as_bytes(std::span("hi", 2)))); });
  std::array<std::byte, 16> buffer;
  EXPECT_THAT(WaitThreeTimes(receiver, absl::MakeSpan(buffer)), IsOkAndHolds(2u));
  sender.join();
}

TEST(GuidePipesTest, MessagesGoInBatchesAndInPlace) {
  ASSERT_OK_AND_ASSIGN(auto ends, SocketPipe::CreatePair());
  Channel sender(std::move(ends.first));
  Channel receiver(std::move(ends.second));
  const std::byte zeros[3] = {};
  EXPECT_OK(SendAll(sender, {Blob(zeros), Blob(zeros, 2)}));
  EXPECT_THAT(TrySendNumbers(sender, 5), IsOkAndHolds(true));
  for (const size_t count : {3, 2, 1}) EXPECT_THAT(CountZeros(receiver), IsOkAndHolds(count));
}

TEST(GuidePipesTest, AnEventLoopHandlesAll) {
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

TEST(GuidePipesTest, ASocketNeedsNoSession) {
  const TempDir folder;
  const std::string path = absl::StrCat(folder.path(), "/socket");
  Child echo = Child::Start("echo", {path});
  ASSERT_EQ(echo.Hear(), "listening");
  std::array<std::byte, 16> answer;
  EXPECT_THAT(AskOnce(path, std::as_bytes(std::span("hi", 2)), absl::MakeSpan(answer)), IsOkAndHolds(2u));
  EXPECT_EQ(echo.Wait(), 0);
}

TEST(GuidePipesTest, LogLinesGoToTheSink) {
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

TEST(GuidePipesTest, CountersTellWhatPassed) {
  ASSERT_OK_AND_ASSIGN(auto ends, RingPipe::CreatePair());
  EXPECT_OK(ends.first->Send(std::as_bytes(std::span("hi", 2))));
  EXPECT_THAT(Describe(ends.first->counters()), HasSubstr("1 messages of 2 bytes sent"));
}

TEST(GuidePipesTest, ARegionIsReadWhereItIsWritten) {
  ASSERT_OK_AND_ASSIGN(auto ends, SocketPipe::CreatePair());
  Channel writer(std::move(ends.first));
  Channel reader(std::move(ends.second));
  ASSERT_OK_AND_ASSIGN(const Region written, ShareFrame(writer));
  ASSERT_OK_AND_ASSIGN(const Region read, TakeFrame(reader));
  written.data()[4711] = std::byte{42};
  EXPECT_EQ(read.data()[4711], std::byte{42});
}

}  // namespace
}  // namespace ipc::testing
