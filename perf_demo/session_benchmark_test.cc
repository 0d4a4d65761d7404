#include "gtest/gtest.h"
#include "ipc_transport/testing/benchmark_run.h"

namespace cache_demo {
namespace {

TEST(SessionBenchmarkTest, MeasuresEachRow) {
  ipc::testing::ExpectRows("SESSION_BENCHMARK",
                           {
                               "BM_FloorRoundTrip/spin/64",
                               "BM_FloorRoundTrip/seqpacket/64",
                               "BM_SessionOpen/heap",
                               "BM_SessionOpen/classic",
                               "BM_SessionOpen/jemalloc",
                               "BM_ChannelOpen/ring",
                               "BM_ChannelOpen/socket",
                               "BM_ChannelOpen/mq",
                               "BM_ChannelOpen/ring/asleep",
                               "BM_ChannelRoundTrip/1000/iterations:1",
                           },
                           {},
                           {
                               "BM_IdleSession/1/iterations:1",
                               "BM_IdleSession/64/iterations:1",
                               "BM_IdleSession/1000/iterations:1",
                               "BM_SessionMemory/heap/iterations:1",
                               "BM_SessionMemory/classic/iterations:1",
                               "BM_SessionMemory/jemalloc/iterations:1",
                               "BM_ChannelMemory/ring/iterations:1",
                           });
}

}  // namespace
}  // namespace cache_demo
