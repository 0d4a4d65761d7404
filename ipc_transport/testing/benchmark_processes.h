// The two processes of a benchmark, each on a core of its own.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_PROCESSES_H_
#define SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_PROCESSES_H_

#include <sys/mman.h>
#include <sys/types.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Ends the process, which says why.
[[noreturn]] void Die(absl::string_view why);

// Dies unless `status` is OK.
inline void Check(const absl::Status& status) {
  if (!status.ok()) [[unlikely]]
    Die(status.ToString());
}

enum class Cores { kOneEach, kSame };

// A forked process that runs `body` with its end of a SEQPACKET socket, beside this one. It is waited for at the end
// of the scope, so `body` must end when this side does; dies if it failed. From here on this process is pinned, too.
class Peer {
 public:
  Peer(Cores cores, absl::FunctionRef<void(Fd socket)> body);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // This side's end.
  FdView socket() const { return socket_; }
  Fd TakeSocket();

 private:
  pid_t pid_;
  Fd socket_;
};

// Memory that a peer made later sees, too; zeroed.
template <typename T>
class SharedMemory {
 public:
  SharedMemory() {
    void* const address = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) Die("cannot map shared memory");
    value_ = static_cast<T*>(address);
  }
  ~SharedMemory() { munmap(value_, sizeof(T)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  T* operator->() const { return value_; }

 private:
  T* value_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_PROCESSES_H_
