// The machine that figures come from.

#ifndef SLUICE_PERF_DEMO_MACHINE_H_
#define SLUICE_PERF_DEMO_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace cache_demo {

struct Machine {
  std::string processor = {};  // Its model.
  int processors = 0;          // That this process may run on.
  uint64_t memory_bytes = 0;
  std::string kernel = {};
  std::string shmem_huge_pages = {};  // The chosen word of transparent_hugepage/shmem_enabled.
  bool is_optimised = true;           // Whether this program was built so, and without a sanitizer.
};

// The numbers of those processors, for this process.
std::vector<int> AllowedProcessors();

// This one; what the system does not tell is empty.
Machine ThisMachine();

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_MACHINE_H_
