#include "perf_demo/result.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace cache_demo {
namespace {

using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const Result kResult = {.mode = Mode::kJemalloc,
                        .wait = ipc::WaitMode::kSleep,
                        .file = "a file",
                        .bytes = 1,
                        .iterations = 2,
                        .p50_ns = 3,
                        .p99_ns = 4,
                        .max_ns = 5,
                        .build_ns = 6,
                        .first_read_ns = 7,
                        .read_all_ns = 8,
                        .verify_ns = 9,
                        .verify = Verify::kFirst,
                        .server_private_bytes = 10,
                        .server_shared_bytes = 11,
                        .client_private_bytes = 12,
                        .client_shared_bytes = 13};
constexpr absl::string_view kRow = "jemalloc\tsleep\tfirst\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13\ta file";

TEST(ResultTest, HasARow) {
  EXPECT_EQ(ToTsvRow(kResult), std::string(kRow) + "\n");
  EXPECT_EQ(TsvHeader(),
            "mode\twait\tverify\tbytes\titerations\tp50_ns\tp99_ns\tmax_ns\tbuild_ns\tfirst_read_ns\tread_all_ns\t"
            "verify_ns\tserver_private_bytes\tserver_shared_bytes\tclient_private_bytes\tclient_shared_bytes\tfile\n");
}

TEST(ResultTest, IsReadBackFromItsRow) { EXPECT_THAT(ParseTsvRow(kRow), IsOkAndHolds(kResult)); }

TEST(ResultTest, WhatIsNoRowIsRefused) {
  EXPECT_THAT(ParseTsvRow("").status(), StatusIs(kInvalid, "\"\" is no row of results"));
  EXPECT_THAT(ParseTsvRow(std::string(kRow) + "\t14").status(), StatusIs(kInvalid));
  EXPECT_THAT(ParseTsvRow(absl::StrReplaceAll(kRow, {{"\t7\t", "\tx\t"}})).status(), StatusIs(kInvalid));
  EXPECT_THAT(ParseTsvRow(absl::StrReplaceAll(kRow, {{"sleep", "doze"}})).status(), StatusIs(kInvalid));
}

}  // namespace
}  // namespace cache_demo
