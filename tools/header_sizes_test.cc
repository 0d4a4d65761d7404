// What public headers make their users compile (header_sizes.bzl) has limits. The log has the table, longest first.

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/working_tree.h"

namespace ipc::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::Key;
using ::testing::Not;
using ::testing::SizeIs;

// What all headers need in any case, and is compared with.
constexpr std::string_view kStatusOr = "absl/status/statusor.h";

// How many lines more than `kStatusOr` the headers of a folder may come to. Those of structured channels, with Cap'n
// Proto, come to 39 000 with g++ 12, and to 87 000 with g++ 16.
struct Limit {
  std::string_view folder;
  int lines;
};
constexpr Limit kLimits[] = {
    {"ipc_session/", 6'000},       {"ipc_shm/", 2'000},       {"ipc_shm_classic/", 18'000},
    {"ipc_shm_jemalloc/", 18'000}, {"ipc_transport/", 4'000}, {"ipc_transport/structured/", 100'000},
    {"ipc_util/", 2'000},
};

struct Header {
  std::string path;
  int lines = 0;                      // Of preprocessed source, those that are not blank.
  std::map<std::string, int> owners;  // How many of them come from whose headers.

  bool IsIn(std::string_view folder) const { return path.starts_with(folder); }
};

Header ReadHeader(const std::string& line) {
  std::istringstream stream(line);
  Header header;
  stream >> header.path >> header.lines;
  for (std::string part; stream >> part;) {
    const size_t split = part.find('=');
    header.owners[part.substr(0, split)] = std::atoi(part.c_str() + split + 1);
  }
  return header;
}

std::vector<Header> ReadTable() {
  const char* const table = std::getenv("HEADER_SIZES");
  std::vector<Header> headers;
  for (const std::string& line : LinesOf(table == nullptr ? "" : table)) headers.push_back(ReadHeader(line));
  std::stable_sort(headers.begin(), headers.end(), [](const Header& a, const Header& b) { return a.lines > b.lines; });
  return headers;
}

int LimitOf(const Header& header) {
  int lines = 0;
  for (const Limit& limit : kLimits) {
    if (header.IsIn(limit.folder)) lines = limit.lines;  // The most exact is the last.
  }
  return lines;
}

std::string Described(const Header& header) {
  std::ostringstream text;
  text << std::setw(7) << header.lines << "  " << std::left << std::setw(36) << header.path;
  for (const auto& [owner, lines] : header.owners) text << " " << owner << " " << lines;
  return text.str();
}

TEST(HeaderSizesTest, ReadsTheTable) {
  const Header header = ReadHeader("ipc_transport/structured/message.h 300 system=200 kj=100");
  EXPECT_EQ(Described(header), "    300  ipc_transport/structured/message.h   kj 100 system 200");
  EXPECT_EQ(LimitOf(header), 100'000);
}

TEST(HeaderSizesTest, KeepToTheirLimits) {
  const std::vector<Header> headers = ReadTable();
  ASSERT_THAT(headers, Not(SizeIs(::testing::Lt(20))));
  const auto status_or =
      std::find_if(headers.begin(), headers.end(), [](const Header& h) { return h.path == kStatusOr; });
  ASSERT_NE(status_or, headers.end());
  for (const Header& header : headers) {
    std::cout << Described(header) << "\n";
    EXPECT_LE(header.lines, status_or->lines + LimitOf(header)) << header.path;
  }
}

// Whoever leaves a library out does not compile it either.
TEST(HeaderSizesTest, OpenTheirOwnLibrariesOnly) {
  for (const Header& header : ReadTable()) {
    EXPECT_THAT(header.owners, Each(Not(AnyOf(Key("boost"), Key("jemalloc"))))) << header.path;
    if (!header.IsIn("ipc_transport/structured/")) {
      EXPECT_THAT(header.owners, Each(Not(AnyOf(Key("capnp"), Key("kj"))))) << header.path;
    }
  }
}

}  // namespace
}  // namespace ipc::testing
