// A row about one channel beside many. To be run once.

#ifndef SLUICE_PERF_DEMO_TESTING_BENCHMARK_BESIDE_H_
#define SLUICE_PERF_DEMO_TESTING_BENCHMARK_BESIDE_H_

#include "benchmark/benchmark.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "perf_demo/benchmark_table.h"

namespace cache_demo {

// BM_ChannelRoundTrip/1000: 64 bytes over one of 1000 ring channels of a session; in turns with the only channel of
// another session (alone_), with a bare word of shared memory (floor_), and with both where the peer drives all
// channels by Dispatch (dispatched_, alone_dispatched_).
void ChannelRoundTripBeside(benchmark::State& state, TargetTable& table, ipc::testing::Rows rows);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_TESTING_BENCHMARK_BESIDE_H_
