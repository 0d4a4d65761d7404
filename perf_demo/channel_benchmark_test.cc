#include "gtest/gtest.h"
#include "ipc_transport/testing/benchmark_run.h"

namespace cache_demo {
namespace {

TEST(ChannelBenchmarkTest, MeasuresEachRow) {
  ipc::testing::ExpectRows("CHANNEL_BENCHMARK",
                           {
                               "BM_FloorRoundTrip/spin/64",
                               "BM_RequestRoundTrip/heap/spin/8",
                               "BM_RequestRoundTrip/heap/spin/100000",
                               "BM_RequestRoundTrip/classic/spin/8",
                               "BM_RequestRoundTrip/classic/spin/100000",
                               "BM_RequestRoundTrip/jemalloc/spin/8",
                               "BM_RequestRoundTrip/jemalloc/spin/100000",
                               "BM_FloorRoundTrip/seqpacket/64",
                               "BM_RequestRoundTrip/heap/sleep/8",
                               "BM_RequestRoundTrip/heap/sleep/100000",
                               "BM_RequestRoundTrip/classic/sleep/8",
                               "BM_RequestRoundTrip/classic/sleep/100000",
                               "BM_RequestRoundTrip/jemalloc/sleep/8",
                               "BM_RequestRoundTrip/jemalloc/sleep/100000",
                               "BM_FloorOneWay/spin/64",
                               "BM_MessageOneWay/heap/spin/8",
                               "BM_MessageOneWay/classic/spin/8",
                               "BM_MessageOneWay/jemalloc/spin/8",
                               "BM_BuildSendReadFree/heap/spin/1000000",
                               "BM_BuildSendReadFree/classic/spin/1000000",
                               "BM_BuildSendReadFree/jemalloc/spin/1000000",
                           },
                           {
                               "BM_RequestRoundTrip/heap/spin/1000000000",
                               "BM_RequestRoundTrip/classic/spin/1000000000",
                               "BM_RequestRoundTrip/jemalloc/spin/1000000000",
                               "BM_RequestRoundTrip/heap/sleep/1000000000",
                               "BM_RequestRoundTrip/classic/sleep/1000000000",
                               "BM_RequestRoundTrip/jemalloc/sleep/1000000000",
                           });
}

}  // namespace
}  // namespace cache_demo
