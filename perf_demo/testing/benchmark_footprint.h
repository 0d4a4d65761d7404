// Rows about what idle sessions and channels take. Each is to be run once.

#ifndef SLUICE_PERF_DEMO_TESTING_BENCHMARK_FOOTPRINT_H_
#define SLUICE_PERF_DEMO_TESTING_BENCHMARK_FOOTPRINT_H_

#include "benchmark/benchmark.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "perf_demo/benchmark_table.h"
#include "perf_demo/choices.h"

namespace cache_demo {

// BM_IdleSession: a process sleeps in Dispatch, which drives so many ring channels; what its session has added.
void IdleSession(benchmark::State& state, TargetTable& table, int channels, ipc::testing::Rows rows);

// BM_SessionMemory, BM_ChannelMemory: resident bytes, private and shared, that one more takes on either side; of many
// that were opened and not used; and its share, with pages that both sides map counted by half.
void SessionMemory(benchmark::State& state, TargetTable& table, Mode mode);
void ChannelMemory(benchmark::State& state, TargetTable& table);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_TESTING_BENCHMARK_FOOTPRINT_H_
