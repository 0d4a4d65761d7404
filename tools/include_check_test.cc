// Which outside library may be included where. The compiler cannot tell: on Debian all of their headers lie in
// /usr/include, so an include without a dependency compiles.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/working_tree.h"

namespace {

namespace fs = std::filesystem;

struct Allowance {
  std::string_view header;                  // A header, or with a slash at its end all below a folder.
  std::vector<std::string_view> includers;  // Regular expressions for paths from the root of the repository.
};

constexpr std::string_view kTests = R"((.*_test\.cc|.*(test|testing|conformance)[^/]*\.(h|cc)|.*/testing/.*))";
constexpr std::string_view kBenchmarks = R"(.*(_benchmark\.cc|/testing/(benchmark_[a-z]+|[a-z]+_benchmarks?)\.(h|cc)))";
constexpr std::string_view kPrograms = "(doc|perf_demo|examples|tools)/.*";

// The one table. absl/ is missing from it, being allowed everywhere.
const std::vector<Allowance>& Allowances() {
  static const std::vector<Allowance> kAllowances = {
      {"capnp/", {"ipc_transport/structured/.*", kPrograms}},
      {"kj/", {"ipc_transport/structured/.*", kPrograms}},
      {"boost/asio/", {"examples/event_loop_asio/.*"}},
      {"boost/", {"ipc_transport/boost_mq_pipe.*", "ipc_shm_classic/.*"}},
      {"jemalloc/", {R"(third_party/jemalloc/jemalloc\.h)"}},
      {"third_party/jemalloc/",
       {"ipc_shm_jemalloc/.*", "ipc_shm/testing/arena_benchmarks.cc", "third_party/jemalloc/.*"}},
      {"gtest/", {kTests}},
      {"gmock/", {kTests}},
      {"benchmark/", {kBenchmarks}},
      {"xxhash.h", {kPrograms}},
  };
  return kAllowances;
}

// The header that `line` includes, if it is an #include.
std::optional<std::string> IncludedHeader(const std::string& line) {
  static const std::regex kInclude(R"(\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  std::smatch match;
  if (!std::regex_match(line, match, kInclude)) return std::nullopt;
  return match[1].str();
}

bool IsAllowed(const std::string& path, std::string_view header) {
  for (const Allowance& allowance : Allowances()) {
    const bool applies = allowance.header.ends_with('/') ? header.starts_with(allowance.header)  //
                                                         : header == allowance.header;
    if (!applies) continue;
    return std::any_of(allowance.includers.begin(), allowance.includers.end(), [&](std::string_view includer) {
      return std::regex_match(path, std::regex(includer.begin(), includer.end()));
    });
  }
  return true;
}

bool IsSource(const fs::path& path) { return path.extension() == ".h" || path.extension() == ".cc"; }

std::vector<std::string> ForbiddenIncludes(const fs::path& root, const std::string& source) {
  std::vector<std::string> found;
  int number = 0;
  for (const std::string& line : ipc::testing::LinesOf(root / source)) {
    ++number;
    const std::optional<std::string> header = IncludedHeader(line);
    if (header && !IsAllowed(source, *header)) {
      found.push_back(source + ":" + std::to_string(number) + " must not include " + *header);
    }
  }
  return found;
}

TEST(IncludeCheckTest, FindsIncludes) {
  EXPECT_EQ(IncludedHeader(R"(#include "absl/status/status.h")"), "absl/status/status.h");
  EXPECT_EQ(IncludedHeader("  #  include <xxhash.h>  // hashes"), "xxhash.h");
  EXPECT_EQ(IncludedHeader("// #include <xxhash.h>"), std::nullopt);
}

TEST(IncludeCheckTest, KnowsTheLayers) {
  EXPECT_TRUE(IsAllowed("ipc_util/fd.cc", "absl/status/status.h"));
  EXPECT_FALSE(IsAllowed("ipc_util/fd.cc", "capnp/message.h"));
  EXPECT_FALSE(IsAllowed("ipc_transport/channel.h", "kj/common.h"));
  EXPECT_TRUE(IsAllowed("ipc_transport/structured/channel.h", "capnp/message.h"));
  EXPECT_FALSE(IsAllowed("ipc_session/session.h", "boost/interprocess/interprocess_fwd.hpp"));
  EXPECT_FALSE(IsAllowed("ipc_shm_classic/arena.cc", "boost/asio/io_context.hpp"));
  EXPECT_TRUE(IsAllowed("examples/event_loop_asio/event_loop_asio.cc", "boost/asio/io_context.hpp"));
  EXPECT_FALSE(IsAllowed("ipc_shm_jemalloc/arena.cc", "jemalloc/jemalloc.h"));
  EXPECT_TRUE(IsAllowed("ipc_shm_jemalloc/arena.cc", "third_party/jemalloc/jemalloc.h"));
  EXPECT_FALSE(IsAllowed("ipc_util/fd.cc", "gtest/gtest.h"));
  EXPECT_TRUE(IsAllowed("ipc_util/fd_test.cc", "gtest/gtest.h"));
  EXPECT_TRUE(IsAllowed("perf_demo/client.cc", "xxhash.h"));
  EXPECT_FALSE(IsAllowed("ipc_util/fd.cc", "xxhash.h"));
}

TEST(IncludeCheckTest, EverySourceKeepsToTheTable) {
  const fs::path root = ipc::testing::WorkingTree();
  const std::vector<std::string> files = ipc::testing::FilesBelow(root);
  ASSERT_THAT(files, testing::Contains("tools/include_check_test.cc"));
  for (const std::string& source : files) {
    if (!IsSource(source)) continue;
    EXPECT_THAT(ForbiddenIncludes(root, source), testing::IsEmpty());
  }
}

// The first header that `source` includes; nothing if it does not exist.
std::optional<std::string> FirstInclude(const fs::path& source) {
  for (const std::string& line : ipc::testing::LinesOf(source)) {
    if (std::optional<std::string> header = IncludedHeader(line)) return header;
  }
  return std::nullopt;
}

// So each header is compiled with nothing before it. sluice_cc_library does it for those that have neither.
TEST(IncludeCheckTest, EveryHeaderComesFirstInItsSourceOrItsTest) {
  const fs::path root = ipc::testing::WorkingTree();
  int headers = 0;
  for (const std::string& header : ipc::testing::FilesBelow(root)) {
    if (fs::path(header).extension() != ".h") continue;
    ++headers;
    const std::string stem = header.substr(0, header.size() - 2);
    const std::optional<std::string> in_source = FirstInclude(root / (stem + ".cc"));
    const std::optional<std::string> in_test = FirstInclude(root / (stem + "_test.cc"));
    if (!in_source && !in_test) continue;
    EXPECT_TRUE(in_source == header || in_test == header) << header;
  }
  EXPECT_GT(headers, 0);
}

}  // namespace
