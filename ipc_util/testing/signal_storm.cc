#include "ipc_util/testing/signal_storm.h"

#include <sys/time.h>

#include <atomic>

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// A counter of the handler; nothing else is ordered by it.
std::atomic<int> count{0};

void SetInterval(suseconds_t microseconds) {
  const timeval time = {.tv_sec = 0, .tv_usec = microseconds};
  const itimerval timer = {.it_interval = time, .it_value = time};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

SignalStorm::SignalStorm() {
  count.store(0, std::memory_order_relaxed);
  struct sigaction action = {};
  action.sa_handler = [](int) { count.fetch_add(1, std::memory_order_relaxed); };
  sigaction(SIGALRM, &action, &before_);
  SetInterval(1000);
}

SignalStorm::~SignalStorm() {
  SetInterval(0);
  sigaction(SIGALRM, &before_, nullptr);
}

int SignalStorm::signals() const { return count.load(std::memory_order_relaxed); }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
