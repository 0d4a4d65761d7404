// Bare code between two processes, without the library: what its rows are compared with in the same run. Nothing is
// copied but what the system call itself does.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_FLOORS_H_
#define SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_FLOORS_H_

#include "benchmark/benchmark.h"
#include "ipc_transport/testing/benchmark_processes.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Both processes spin, each on its core.
// BM_FloorRoundTrip/spin/64: the least that a round trip can be; each side waits for the other's store.
void FloorSpinRoundTrip(benchmark::State& state);
// BM_FloorOneWay/spin/64: the least that a stream of records can be; slots with a sequence number, and a reader that
// tells every quarter.
void FloorSpinOneWay(benchmark::State& state);

// BM_FloorRoundTrip/seqpacket/64, or seqpacket_same_core: the receiver sleeps.
void FloorSocketRoundTrip(benchmark::State& state, Cores cores);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_BENCHMARK_FLOORS_H_
