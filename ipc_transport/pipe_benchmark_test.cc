#include "gtest/gtest.h"
#include "ipc_transport/testing/benchmark_run.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

TEST(PipeBenchmarkTest, MeasuresEachRow) {
  testing::ExpectRows("PIPE_BENCHMARK", {
                                            "BM_FloorRoundTrip/spin/64",
                                            "BM_PipeRoundTrip/ring/spin/64",
                                            "BM_PipeRoundTrip/ring/adaptive/64",
                                            "BM_PipeRoundTrip/ring/spin_beside_1000/64",
                                            "BM_FloorRoundTrip/seqpacket/64",
                                            "BM_PipeRoundTrip/ring/sleep/64",
                                            "BM_PipeRoundTrip/socket/sleep/64",
                                            "BM_PipeRoundTrip/mq/sleep/64",
                                            "BM_PipeRoundTrip/boost_mq/sleep/64",
                                            "BM_FloorRoundTrip/seqpacket_same_core/64",
                                            "BM_PipeRoundTrip/ring/sleep_same_core/64",
                                            "BM_FloorOneWay/spin/64",
                                            "BM_PipeOneWay/ring/spin/64",
                                            "BM_PipeOneWayBatch/ring/spin/64",
                                            "BM_PipeOneWay/socket/adaptive/64",
                                            "BM_PipeOneWayBatch/socket/adaptive/64",
                                        });
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
