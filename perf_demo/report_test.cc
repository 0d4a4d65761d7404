#include "perf_demo/report.h"

#include <initializer_list>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cache_demo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Result ResultOf(Mode mode, const std::string& file, uint64_t bytes, uint64_t p50_ns) {
  return {.mode = mode,
          .wait = ipc::WaitMode::kSpin,
          .file = file,
          .bytes = bytes,
          .iterations = 1000,
          .p50_ns = p50_ns,
          .p99_ns = 2 * p50_ns,
          .max_ns = 3 * p50_ns,
          .build_ns = 4'000,
          .first_read_ns = 3'000'000,
          .read_all_ns = 2'000'000'000,
          .verify_ns = 1,
          .server_private_bytes = 5'000'000,
          .server_shared_bytes = 1'110'000'000,
          .client_private_bytes = 4'000'000,
          .client_shared_bytes = 0};
}

Report FixedReport() {
  return {.machine = {.processor = "A \"fast\" one",
                      .processors = 2,
                      .memory_bytes = 25'000'000'000,
                      .kernel = "Linux 6.1",
                      .shmem_huge_pages = "never",
                      .is_optimised = true},
          .cores = Cores::kTwo,
          .results = {ResultOf(Mode::kSocket, "100KB", 100'000, 90'000),
                      ResultOf(Mode::kSocket, "1GB", 1'000'000'000, 1'234'000'000),
                      ResultOf(Mode::kClassic, "100KB", 100'000, 500),
                      ResultOf(Mode::kClassic, "1GB", 1'000'000'000, 505)}};
}

TEST(ReportTest, Table) {
  EXPECT_EQ(ToTable(FixedReport()),
            R"(2 x A "fast" one, 25000 MB of memory, Linux 6.1; wait: spin; cores: two

Round trip, from before the request is built to after the first part's hash is compared:
mode      file      p50      p99      max  iterations
socket   100KB  90.0 us   180 us   270 us        1000
socket     1GB   1.23 s   2.47 s   3.70 s        1000
classic  100KB   500 ns  1.00 us  1.50 us        1000
classic    1GB   505 ns  1.01 us  1.51 us        1000

Not in the round trip, each once; memory: private + shared:
mode      file  server builds it  first read  read again  hash all parts  server memory  client memory
socket   100KB           4.00 us     3.00 ms      2.00 s            1 ns    5 + 1110 MB       4 + 0 MB
socket     1GB           4.00 us     3.00 ms      2.00 s            1 ns    5 + 1110 MB       4 + 0 MB
classic  100KB           4.00 us     3.00 ms      2.00 s            1 ns    5 + 1110 MB       4 + 0 MB
classic    1GB           4.00 us     3.00 ms      2.00 s            1 ns    5 + 1110 MB       4 + 0 MB

Ratios of p50:
socket / classic, 1GB  2 443 564
1GB / 100KB, classic        1.01
)");
}

TEST(ReportTest, TheTableHasNoRatiosOfWhatIsMissing) {
  Report report = FixedReport();
  report.results.resize(2);
  EXPECT_THAT(ToTable(report), Not(HasSubstr("Ratios")));
  report = FixedReport();
  report.results.erase(report.results.begin(), report.results.begin() + 2);
  EXPECT_THAT(ToTable(report), HasSubstr("\nRatios of p50:\n1GB / 100KB, classic  1.01\n"));
  report.results.resize(1);
  EXPECT_THAT(ToTable(report), Not(HasSubstr("Ratios")));
  EXPECT_THAT(ToTable(Report()), HasSubstr("mode"));
}

TEST(ReportTest, TheTableShowsNamesAndWarnings) {
  Report report = FixedReport();
  report.results[0].file = "letter.pdf";
  report.results[0].verify = Verify::kFirst;
  report.machine.is_optimised = false;
  EXPECT_THAT(ToTable(report), HasSubstr("socket   letter.pdf (100KB)  "));
  EXPECT_THAT(ToTable(report), HasSubstr("hash first part"));
  EXPECT_THAT(ToTable(report), HasSubstr("not optimised"));
}

TEST(ReportTest, TheTableIsNotTooWide) {
  for (const absl::string_view line : absl::StrSplit(ToTable(FixedReport()), '\n')) EXPECT_LE(line.size(), 120u);
}

TEST(ReportTest, Json) {
  Report report = FixedReport();
  report.results.resize(2);
  report.results[1].file = "a \\ and a \"";
  EXPECT_EQ(
      ToJson(report),
      R"({"machine":{"processor":"A \"fast\" one","processors":2,"memory_bytes":25000000000,"kernel":"Linux 6.1","shmem_huge_pages":"never","optimised":true},"results":[
{"mode":"socket","bytes":100000,"wait":"spin","iterations":1000,"p50_ns":90000,"p99_ns":180000,"max_ns":270000,"build_ns":4000,"verified":true,"verify":"all","file":"100KB","first_read_ns":3000000,"read_all_ns":2000000000,"verify_ns":1,"server_private_bytes":5000000,"server_shared_bytes":1110000000,"client_private_bytes":4000000,"client_shared_bytes":0,"cores":"two"},
{"mode":"socket","bytes":1000000000,"wait":"spin","iterations":1000,"p50_ns":1234000000,"p99_ns":2468000000,"max_ns":3702000000,"build_ns":4000,"verified":true,"verify":"all","file":"a \\ and a \"","first_read_ns":3000000,"read_all_ns":2000000000,"verify_ns":1,"server_private_bytes":5000000,"server_shared_bytes":1110000000,"client_private_bytes":4000000,"client_shared_bytes":0,"cores":"two"}
]}
)");
  EXPECT_THAT(ToJson(Report()), HasSubstr("\"results\":[\n]}"));
}

TEST(ReportTest, Tsv) {
  Report report = FixedReport();
  EXPECT_EQ(ToTsv(report), TsvHeader() + ToTsvRow(report.results[0]) + ToTsvRow(report.results[1]) +
                               ToTsvRow(report.results[2]) + ToTsvRow(report.results[3]));
}

TEST(FormatNanosTest, HasThreeDigits) {
  EXPECT_EQ(FormatNanos(0), "0 ns");
  EXPECT_EQ(FormatNanos(999), "999 ns");
  EXPECT_EQ(FormatNanos(1'000), "1.00 us");
  EXPECT_EQ(FormatNanos(9'994), "9.99 us");
  EXPECT_EQ(FormatNanos(9'996), "10.0 us");
  EXPECT_EQ(FormatNanos(99'960), "100 us");
  EXPECT_EQ(FormatNanos(999'600), "1.00 ms");
  EXPECT_EQ(FormatNanos(1'400'000'000), "1.40 s");
  EXPECT_EQ(FormatNanos(1'400'000'000'000), "1400 s");
}

}  // namespace
}  // namespace cache_demo
