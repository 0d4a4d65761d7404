#include "ipc_session/session_terms.h"

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(SessionOptionsTest, DefaultsAreValid) { EXPECT_OK(Validate(SessionOptions())); }

TEST(SessionOptionsTest, Channels) {
  for (const int channels : {0, 1, 1024}) EXPECT_OK(Validate(SessionOptions{.channels = channels}));
  EXPECT_THAT(Validate(SessionOptions{.channels = -1}), StatusIs(kInvalid, HasSubstr("SessionOptions.channels is -1")));
  EXPECT_THAT(Validate(SessionOptions{.channels = 1025}),
              StatusIs(kInvalid, HasSubstr("SessionOptions.channels is 1025; give 0 to max_channels, which is 1024")));
}

TEST(SessionOptionsTest, MaxChannels) {
  for (const int channels : {1, 4096}) EXPECT_OK(Validate(SessionOptions{.max_channels = channels}));
  EXPECT_OK(Validate(SessionOptions{.channels = 0, .max_channels = 0}));
  for (const int channels : {-1, 4097}) {
    EXPECT_THAT(Validate(SessionOptions{.max_channels = channels}),
                StatusIs(kInvalid, HasSubstr("SessionOptions.max_channels is")));
  }
}

TEST(SessionOptionsTest, OutboxBytes) {
  constexpr uint64_t kLanesOffset = 4096 + 4 * 65536;
  constexpr uint64_t kLane = 4096 + 8192;
  const auto status = [](uint64_t bytes, int channels) {
    return Validate(SessionOptions{.channels = channels, .ring_bytes = 8192, .outbox_bytes = bytes});
  };
  EXPECT_OK(status(kLanesOffset + 2 * kLane, 2));
  EXPECT_THAT(status(kLanesOffset + 2 * kLane, 3),
              StatusIs(kInvalid, HasSubstr("outbox_bytes is 290816; 3 channels of 8192 ring_bytes need 303104")));
  EXPECT_THAT(status(1, 0), StatusIs(kInvalid));
  EXPECT_OK(status(uint64_t{1} << 40, 1));
  for (const uint64_t bytes : {(uint64_t{1} << 40) + 1, ~uint64_t{0}})
    EXPECT_THAT(status(bytes, 1), StatusIs(kInvalid));
}

TEST(SessionOptionsTest, RingBytes) {
  for (const size_t bytes : {size_t{4096}, size_t{1} << 30}) EXPECT_OK(Validate(SessionOptions{.ring_bytes = bytes}));
  for (const size_t bytes : {size_t{0}, size_t{2048}, size_t{4097}, size_t{12288}, size_t{1} << 31}) {
    EXPECT_THAT(Validate(SessionOptions{.ring_bytes = bytes}), StatusIs(kInvalid, HasSubstr("ring_bytes is"))) << bytes;
  }
}

TEST(SessionOptionsTest, Metadata) {
  EXPECT_OK(Validate(SessionOptions{.metadata = std::string(4096, 'x')}));
  EXPECT_THAT(Validate(SessionOptions{.metadata = std::string(4097, 'x')}),
              StatusIs(kInvalid, HasSubstr("metadata has 4097 bytes")));
}

TEST(SessionOptionsTest, ArenaBytes) {
  EXPECT_OK(Validate(SessionOptions{.arena_bytes = uint64_t{1} << 37}));
  EXPECT_THAT(Validate(SessionOptions{.arena_bytes = 0}), StatusIs(kInvalid, HasSubstr("arena_bytes is 0")));
  EXPECT_THAT(Validate(SessionOptions{.arena_bytes = (uint64_t{1} << 37) + 1}), StatusIs(kInvalid));
  for (const absl::Duration good :
       {absl::ZeroDuration(), absl::Milliseconds(1), absl::Hours(24), absl::InfiniteDuration()}) {
    EXPECT_OK(Validate(SessionOptions{.arena_decay = good})) << good;
  }
  EXPECT_THAT(Validate(SessionOptions{.arena_decay = absl::Hours(25)}),
              StatusIs(kInvalid, HasSubstr("arena_decay is 25h")));
  EXPECT_THAT(Validate(SessionOptions{.arena_decay = -absl::Seconds(1)}),
              StatusIs(kInvalid, HasSubstr("arena_decay is -1s")));
}

TEST(SessionOptionsTest, ArenaPages) {
  EXPECT_OK(Validate(SessionOptions{.arena_pages = ArenaPages::kHuge}));
  EXPECT_THAT(Validate(SessionOptions{.arena_pages = static_cast<ArenaPages>(3)}),
              StatusIs(kInvalid, HasSubstr("arena_pages is 3")));
}

TEST(SessionOptionsTest, KeepAlive) {
  for (const absl::Duration period : {absl::ZeroDuration(), absl::Milliseconds(1), absl::Hours(24)}) {
    EXPECT_OK(Validate(SessionOptions{.keep_alive_period = period, .idle_timeout = period}));
  }
  for (const absl::Duration period : {absl::Microseconds(999), -absl::Seconds(1), absl::InfiniteDuration()}) {
    EXPECT_THAT(Validate(SessionOptions{.keep_alive_period = period}),
                StatusIs(kInvalid, HasSubstr("SessionOptions.keep_alive_period is")));
    EXPECT_THAT(Validate(SessionOptions{.idle_timeout = period}),
                StatusIs(kInvalid, HasSubstr("SessionOptions.idle_timeout is")));
  }
}

TEST(SessionOptionsTest, RunFolder) {
  EXPECT_OK(Validate(SessionOptions{.run_folder = "/run/mine"}));
  EXPECT_THAT(Validate(SessionOptions{.run_folder = "mine"}), StatusIs(kInvalid, HasSubstr("run_folder is \"mine\"")));
}

}  // namespace
}  // namespace ipc::testing
