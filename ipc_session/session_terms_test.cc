#include "ipc_session/session_terms.h"

#include <cstddef>
#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(SessionOptionsTest, DefaultsAreValid) { EXPECT_OK(Validate(SessionOptions())); }

TEST(SessionOptionsTest, Channels) {
  for (const int channels : {0, 1, 64}) EXPECT_OK(Validate(SessionOptions{.channels = channels}));
  EXPECT_THAT(Validate(SessionOptions{.channels = -1}), StatusIs(kInvalid, HasSubstr("SessionOptions.channels is -1")));
  EXPECT_THAT(Validate(SessionOptions{.channels = 65}), StatusIs(kInvalid, HasSubstr("SessionOptions.channels is 65")));
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
}

TEST(SessionOptionsTest, RunFolder) {
  EXPECT_OK(Validate(SessionOptions{.run_folder = "/run/mine"}));
  EXPECT_THAT(Validate(SessionOptions{.run_folder = "mine"}), StatusIs(kInvalid, HasSubstr("run_folder is \"mine\"")));
}

}  // namespace
}  // namespace ipc::testing
