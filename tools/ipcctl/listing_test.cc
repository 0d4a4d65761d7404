#include "tools/ipcctl/listing.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_report.h"

namespace ipcctl {
namespace {

using ::ipc::internal::ServerReport;
using ::ipc::internal::SessionReport;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// One server with one session and one channel, which has so many messages of 10 bytes sent and none received.
Listing ListingWith(uint64_t sent, int64_t taken_nanos) {
  SessionReport session = {.peer = {.app = "cacheCli", .credentials = {.pid = 12, .uid = 1000, .gid = 1000}},
                           .channels = 1};
  session.listed = {{.id = 7, .sent = {.messages = sent, .bytes = 10 * sent}, .received = {.refused = 3}}};
  ServerReport report = {.app = "cacheSrv", .kind = ipc::internal::MemoryKind::kClassic, .sessions = 1};
  report.listed.push_back(std::move(session));
  Listing listing = {.taken_nanos = taken_nanos};
  listing.servers.push_back({.socket = "/run/sluice/cacheSrv.sock",
                             .answer = {.server = {.pid = 11, .uid = 0, .gid = 0}, .report = std::move(report)}});
  return listing;
}

TEST(ListingTest, RatesAreThoseSinceTheListingBefore) {
  const Listing before = ListingWith(100, 1'000'000'000);
  const Listing now = ListingWith(200, 3'000'000'000);
  EXPECT_THAT(ToJson(now, &before), HasSubstr("\"messages_per_second\":50.0,\"bytes_per_second\":500.0"));
  EXPECT_THAT(ToTable(now, &before), AllOf(HasSubstr("sent/s"), HasSubstr("  50  "), HasSubstr("  500  ")));
  EXPECT_THAT(ToTable(now, nullptr), Not(HasSubstr("sent/s")));
}

TEST(ListingTest, AChannelThatIsNewHasNoRates) {
  Listing before = ListingWith(100, 1);
  before.servers[0].answer.report.listed[0].listed[0].id = 8;
  EXPECT_THAT(ToJson(ListingWith(200, 2), &before), Not(HasSubstr("per_second")));
  EXPECT_THAT(ToTable(ListingWith(200, 2), &before), HasSubstr("-"));
  Listing restarted = ListingWith(100, 1);
  restarted.servers[0].answer.server.pid = 99;
  EXPECT_THAT(ToJson(ListingWith(200, 2), &restarted), Not(HasSubstr("per_second")));
}

TEST(ListingTest, CountersThatFallHaveNoRate) {
  const Listing before = ListingWith(300, 1'000'000'000);
  EXPECT_THAT(ToJson(ListingWith(200, 2'000'000'000), &before), HasSubstr("\"messages_per_second\":0.0"));
}

TEST(ListingTest, SaysHowManyMoreThereAre) {
  Listing listing = ListingWith(1, 1);
  listing.servers[0].answer.report.sessions = 3;
  listing.servers[0].answer.report.listed[0].channels = 2;
  EXPECT_THAT(ToTable(listing, nullptr),
              AllOf(HasSubstr("    and 1 more channel\n"), HasSubstr("  and 2 more sessions\n")));
  EXPECT_THAT(ToJson(listing, nullptr), AllOf(HasSubstr("\"session_count\":3"), HasSubstr("\"channel_count\":2")));
}

TEST(ListingTest, TellsOfTheArenaAndOfTheEnd) {
  Listing listing = ListingWith(1, 1);
  SessionReport& session = listing.servers[0].answer.report.listed[0];
  session.memory = ipc::internal::MemoryUsage{.allocated_bytes = 4096,
                                              .cached_bytes = 512,
                                              .dirty_bytes = 65536,
                                              .fragmented_bytes = 3584,
                                              .committed_bytes = 73728,
                                              .limit_bytes = 1048576,
                                              .blocks = 3,
                                              .objects = 1,
                                              .object_bytes = 40,
                                              .loans_out = 2};
  session.has_ended = true;
  EXPECT_THAT(ToTable(listing, nullptr),
              HasSubstr("1 channel, 3 blocks, 1 object, 2 loans out, has ended\n"
                        "    arena bytes  allocated  cached  dirty  fragmented  committed    limit\n"
                        "                      4096     512  65536        3584      73728  1048576\n"));
  EXPECT_THAT(ToJson(listing, nullptr),
              AllOf(HasSubstr("\"arena\":{\"allocated_bytes\":4096,\"cached_bytes\":512,\"dirty_bytes\":65536,"
                              "\"fragmented_bytes\":3584,\"committed_bytes\":73728,\"limit_bytes\":1048576,"
                              "\"blocks\":3,\"objects\":1,"
                              "\"object_bytes\":40,\"loans_out\":2}"),
                    HasSubstr("\"has_ended\":true")));
}

TEST(ListingTest, SizesAreAHistogramUpToTheLargest) {
  Listing listing = ListingWith(1, 1);
  listing.servers[0].answer.report.listed[0].listed[0].sent.sizes = {1, 0, 9};
  EXPECT_THAT(ToJson(listing, nullptr), AllOf(HasSubstr("\"sizes\":[1,0,9]"), HasSubstr("\"sizes\":[]")));
}

TEST(ListingTest, PathsCannotWriteOnTheTerminalOrBreakJson) {
  Listing listing = ListingWith(1, 1);
  listing.servers[0].socket = "/tmp/\033[2J\"\n.sock";
  listing.problems.push_back({.path = "/tmp/\033[2J", .status = absl::DataLossError("\033[2J")});
  EXPECT_THAT(ToTable(listing, nullptr), Not(HasSubstr("\033")));
  EXPECT_THAT(ProblemsOf(listing), Not(HasSubstr("\033")));
  EXPECT_THAT(ToJson(listing, nullptr), HasSubstr("\"/tmp/\\u001b[2J\\\"\\u000a.sock\""));
}

TEST(ListingTest, TheExitCodeTellsTheWorst) {
  EXPECT_EQ(ExitCodeOf({}), 1);
  Listing listing = ListingWith(1, 1);
  EXPECT_EQ(ExitCodeOf(listing), 0);
  listing.problems.push_back({.path = "/a", .status = absl::DeadlineExceededError("")});
  EXPECT_EQ(ExitCodeOf(listing), 4);
  listing.problems.push_back({.path = "/b", .status = absl::PermissionDeniedError("")});
  EXPECT_EQ(ExitCodeOf(listing), 3);
}

}  // namespace
}  // namespace ipcctl
