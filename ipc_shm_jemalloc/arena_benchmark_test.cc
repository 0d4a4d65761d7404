#include "gtest/gtest.h"
#include "ipc_transport/testing/benchmark_run.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

TEST(ArenaBenchmarkTest, MeasuresEachRow) {
  // A pair is too short to be sampled.
  testing::ExpectRows("ARENA_BENCHMARK",
                      {
                          "BM_FirstRead/warm/1000000000",
                          "BM_FirstRead/jemalloc/1000000000",
                          "BM_FirstRead/jemalloc_populated/1000000000",
                          "BM_FirstRead/jemalloc_huge/1000000000",
                          "BM_ConstructStrings/heap/1000",
                          "BM_ConstructStrings/jemalloc/1000",
                          "BM_ConstructStrings/heap_reserved/1000",
                          "BM_ConstructStrings/jemalloc_reserved/1000",
                          "BM_WalkStrings/heap/1000",
                          "BM_WalkStrings/heap_equal/1000",
                          "BM_WalkStrings/jemalloc/1000",
                          "BM_LendBorrowRelease/jemalloc",
                      },
                      /*slow=*/{},
                      /*gauges=*/
                      {
                          "BM_AllocateFree/heap/64",
                          "BM_AllocateFree/private_jemalloc/64",
                          "BM_AllocateFree/jemalloc/64",
                      });
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
