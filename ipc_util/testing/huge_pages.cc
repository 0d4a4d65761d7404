#include "ipc_util/testing/huge_pages.h"

#include <fstream>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// Pages that are set aside, and that may be made at need.
constexpr char kReserved[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
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

HugePages::HugePages(int pages) : reserved_(ReadLine(kReserved)), more_(ReadLine(kMore)) {
  ok_ = WriteLine(kReserved, "0") && WriteLine(kMore, absl::StrCat(pages));
}

HugePages::~HugePages() {
  if (!reserved_.empty()) WriteLine(kReserved, reserved_);
  if (!more_.empty()) WriteLine(kMore, more_);
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
