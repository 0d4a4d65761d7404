#include "ipc_util/testing/huge_pages.h"

#include <fstream>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr char kFree[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
// Those that are made at need.
constexpr char kMore[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages";

std::string ReadLine(const char* path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

bool WriteLine(const char* path, const std::string& line) {
  std::ofstream file(path);
  file << line << std::flush;
  return file.good() && ReadLine(path) == line;
}

}  // namespace

HugePages::HugePages(int pages) : before_(ReadLine(kMore)) {
  ok_ = ReadLine(kFree) == "0" && WriteLine(kMore, absl::StrCat(pages));
}

HugePages::~HugePages() {
  if (!before_.empty()) WriteLine(kMore, before_);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
