#include "ipc_transport/pipe.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/buffered_pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Blob BlobOf(absl::string_view text) { return Blob(reinterpret_cast<const std::byte*>(text.data()), text.size()); }

std::string TextOf(Blob blob) { return std::string(reinterpret_cast<const char*>(blob.data()), blob.size()); }

// A pipe whose other end is the test. It answers as the script says, and then with success.
class ScriptedPipe final : public BufferedPipe {
 public:
  ScriptedPipe() : BufferedPipe(/*max_message_bytes=*/100, /*max_descriptors=*/1) {}

  std::deque<absl::StatusOr<bool>> try_answers;  // What the Try calls say; false: full, or empty.
  absl::Status wait_answer;
  std::deque<std::string> messages;
  size_t sent_descriptors = 0;
  std::vector<std::string> waits;

 private:
  absl::Status WaitForRoom(Deadline deadline) override { return Wait("send", deadline); }
  absl::Status WaitForMessage(Deadline deadline) override { return Wait("receive", deadline); }
  absl::StatusOr<bool> SendMessage(absl::Span<const Blob> parts, size_t,
                                   absl::Span<const FdView> descriptors) override {
    if (!try_answers.empty()) {
      const absl::StatusOr<bool> answer = try_answers.front();
      try_answers.pop_front();
      if (!answer.ok() || !*answer) return answer;
    }
    std::string message;
    for (const Blob& part : parts) message += TextOf(part);
    messages.push_back(message);
    sent_descriptors += descriptors.size();
    return true;
  }

  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<Fd>*) override {
    if (!try_answers.empty()) {
      const absl::StatusOr<bool> answer = try_answers.front();
      try_answers.pop_front();
      if (!answer.ok()) return answer.status();
      if (!*answer) return std::nullopt;
    }
    if (messages.empty()) return std::nullopt;
    const std::string message = messages.front();
    messages.pop_front();
    const Blob bytes = BlobOf(message);
    const size_t direct = std::min(buffer.size(), bytes.size());
    std::copy_n(bytes.begin(), direct, buffer.begin());
    std::copy_n(bytes.begin() + direct, bytes.size() - direct, overflow.begin());
    return bytes.size();
  }

  absl::Status SendFinish() override { return absl::OkStatus(); }
  void Shut() override {}

  absl::Status Wait(const char* what, Deadline deadline) {
    waits.push_back(std::string(what) + (deadline.never() ? ", never" : deadline.HasPassed() ? ", passed" : ""));
    return wait_answer;
  }
};

class PipeTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Receive(Deadline deadline) {
    std::vector<std::byte> buffer(pipe_.max_message_bytes());
    const absl::StatusOr<size_t> bytes = pipe_.Receive(absl::MakeSpan(buffer), nullptr, deadline);
    if (!bytes.ok()) return bytes.status();
    return TextOf(absl::MakeConstSpan(buffer).subspan(0, *bytes));
  }

  ScriptedPipe pipe_;
};

TEST_F(PipeTest, AMessageHasOnePartOrMany) {
  const FdView descriptor(0);
  EXPECT_THAT(pipe_.TrySend(BlobOf("one")), IsOkAndHolds(true));
  EXPECT_OK(pipe_.Send(BlobOf("two"), absl::MakeConstSpan(&descriptor, 1)));
  EXPECT_OK(pipe_.SendParts({BlobOf("th"), Blob(), BlobOf("ree")}));
  EXPECT_OK(pipe_.SendParts({}));
  EXPECT_THAT(pipe_.messages, ElementsAre("one", "two", "three", ""));
  EXPECT_EQ(pipe_.sent_descriptors, 1u);
  EXPECT_THAT(pipe_.waits, IsEmpty());
}

TEST_F(PipeTest, TrySendNeverWaits) {
  pipe_.try_answers = {false};
  EXPECT_THAT(pipe_.TrySend(BlobOf("x")), IsOkAndHolds(false));
  EXPECT_THAT(pipe_.waits, IsEmpty());
  EXPECT_THAT(pipe_.messages, IsEmpty());
}

// Readiness is a hint.
TEST_F(PipeTest, SendWaitsUntilThereIsRoom) {
  pipe_.try_answers = {false, false, true};
  EXPECT_OK(pipe_.Send(BlobOf("x"), {}, Deadline::Never()));
  EXPECT_THAT(pipe_.waits, ElementsAre("send, never", "send, never"));
  EXPECT_THAT(pipe_.messages, ElementsAre("x"));
}

TEST_F(PipeTest, ReceiveWaitsUntilSomethingIsThere) {
  pipe_.messages = {"x"};
  pipe_.try_answers = {false, false, true};
  EXPECT_THAT(Receive(Deadline::Never()), IsOkAndHolds("x"));
  EXPECT_THAT(pipe_.waits, ElementsAre("receive, never", "receive, never"));
}

TEST_F(PipeTest, APassedDeadlineStillTriesOnce) {
  EXPECT_OK(pipe_.Send(BlobOf("x"), {}, Deadline::Passed()));
  EXPECT_THAT(Receive(Deadline::Passed()), IsOkAndHolds("x"));
  EXPECT_THAT(pipe_.waits, IsEmpty());
}

TEST_F(PipeTest, TheWaitsErrorIsTheCalls) {
  pipe_.wait_answer = absl::DeadlineExceededError("late");
  pipe_.try_answers = {false};
  EXPECT_THAT(pipe_.Send(BlobOf("x"), {}, Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded, "late"));
  pipe_.try_answers = {false};
  EXPECT_THAT(Receive(Deadline::Passed()), StatusIs(absl::StatusCode::kDeadlineExceeded, "late"));
  EXPECT_THAT(pipe_.messages, IsEmpty());
}

TEST_F(PipeTest, TheAttemptsErrorIsTheCalls) {
  const absl::Status gone = absl::UnavailableError("gone");
  pipe_.try_answers = {false, gone};
  EXPECT_THAT(pipe_.Send(BlobOf("x")), StatusIs(absl::StatusCode::kUnavailable, "gone"));
  pipe_.try_answers = {false, gone};
  EXPECT_THAT(Receive(Deadline::Default()), StatusIs(absl::StatusCode::kUnavailable, "gone"));
  pipe_.try_answers = {gone};
  EXPECT_THAT(pipe_.TrySend(BlobOf("x")), StatusIs(absl::StatusCode::kUnavailable, "gone"));
}

TEST_F(PipeTest, TheDefaultDeadlineIsFinite) {
  pipe_.try_answers = {false};
  EXPECT_OK(pipe_.Send(BlobOf("x")));
  EXPECT_THAT(pipe_.waits, ElementsAre("send"));
}

TEST_F(PipeTest, TheWaitModeIsAdaptiveUntilToldOtherwise) {
  EXPECT_EQ(pipe_.wait_mode(), WaitMode::kAdaptive);
  pipe_.set_wait_mode(WaitMode::kSleep);
  EXPECT_EQ(pipe_.wait_mode(), WaitMode::kSleep);
}

}  // namespace
}  // namespace ipc::testing
