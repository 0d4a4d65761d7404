#include "perf_demo/machine.h"

#include <sched.h>
#include <sys/utsname.h>

#include <fstream>

#include "absl/base/config.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "perf_demo/memory.h"

namespace cache_demo {
namespace {

std::string ProcessorModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> field = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (field.size() == 2 && absl::StripAsciiWhitespace(field[0]) == "model name") {
      return std::string(absl::StripAsciiWhitespace(field[1]));
    }
  }
  return "";
}

std::string Kernel() {
  utsname names;
  return uname(&names) == 0 ? absl::StrCat(names.sysname, " ", names.release) : "";
}

// The word in brackets, of "always within_size [never]".
std::string ChosenWord(const std::string& path) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (word.front() == '[' && word.back() == ']') return word.substr(1, word.size() - 2);
  }
  return "";
}

constexpr bool IsOptimised() {
#if !defined(__OPTIMIZE__) || defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
  return false;
#else
  return true;
#endif
}

}  // namespace

std::vector<int> AllowedProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return {};
  std::vector<int> processors;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(processor, &set)) processors.push_back(processor);
  }
  return processors;
}

Machine ThisMachine() {
  return {.processor = ProcessorModel(),
          .processors = static_cast<int>(AllowedProcessors().size()),
          .memory_bytes = MemoryOfMachine().value_or(MachineMemory()).total_bytes,
          .kernel = Kernel(),
          .shmem_huge_pages = ChosenWord("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
          .is_optimised = IsOptimised()};
}

}  // namespace cache_demo
