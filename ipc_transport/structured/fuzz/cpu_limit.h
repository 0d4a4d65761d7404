// Makes an input that takes too long a finding.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_FUZZ_CPU_LIMIT_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_FUZZ_CPU_LIMIT_H_

#include <time.h>

#include <cstdint>

#include "ipc_util/testing/fuzz/fuzz_target.h"

// There in libFuzzer's programs alone.
extern "C" int LLVMFuzzerRunDriver(int* argc, char*** argv, int (*target)(const uint8_t* data, size_t size))
    __attribute__((weak));

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Ends a fuzzer if its scope took more than 100 ms of this thread's CPU time; not a test that replays a corpus, since
// a sanitizer or a busy machine may be slow without a fault.
class CpuLimit {
 public:
  CpuLimit() : begin_(Nanos()) {}
  ~CpuLimit() { FuzzCheck(&LLVMFuzzerRunDriver == nullptr || Nanos() - begin_ <= kMaxNanos); }
  CpuLimit(const CpuLimit&) = delete;
  CpuLimit& operator=(const CpuLimit&) = delete;

 private:
  static constexpr int64_t kMaxNanos = 100'000'000;

  static int64_t Nanos() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return int64_t{1'000'000'000} * time.tv_sec + time.tv_nsec;
  }

  const int64_t begin_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_FUZZ_CPU_LIMIT_H_
