// How much memory processes take, and how much there is.

#ifndef SLUICE_PERF_DEMO_MEMORY_H_
#define SLUICE_PERF_DEMO_MEMORY_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace cache_demo {

// In physical memory now.
struct ProcessMemory {
  uint64_t private_bytes = 0;  // Heap, stacks, and what else nobody shares.
  uint64_t shared_bytes = 0;   // Pages of shared memory that the process has touched.
};

// UNAVAILABLE: there is no such process, or /proc does not tell.
absl::StatusOr<ProcessMemory> MemoryOf(pid_t pid);

// Of the machine.
struct MachineMemory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  // For new use, without pushing others out.
};

// UNAVAILABLE: /proc does not tell.
absl::StatusOr<MachineMemory> MemoryOfMachine();

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_MEMORY_H_
