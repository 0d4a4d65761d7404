#include "ipc_util/testing/refused_calls.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

bool RefuseCalls(const std::vector<RefusedCall>& calls) {
  // The lower half of a 64-bit argument comes first.
  constexpr uint32_t kThirdArgument = offsetof(seccomp_data, args) + 2 * sizeof(uint64_t);
  std::vector<sock_filter> filter;
  for (const RefusedCall& call : calls) {
    const uint8_t rest = call.third_argument.has_value() ? 3 : 1;
    filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call.number), 0, rest));
    if (call.third_argument.has_value()) {
      filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kThirdArgument));
      filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *call.third_argument, 0, 1));
    }
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(call.error)));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog program = {.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
