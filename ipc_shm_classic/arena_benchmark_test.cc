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
                          "BM_FirstRead/classic/1000000000",
                          "BM_FirstRead/classic_populated/1000000000",
                          "BM_FirstRead/classic_huge/1000000000",
                          "BM_ConstructStrings/heap/1000",
                          "BM_ConstructStrings/classic/1000",
                          "BM_ConstructStrings/heap_reserved/1000",
                          "BM_ConstructStrings/classic_reserved/1000",
                          "BM_WalkStrings/heap/1000",
                          "BM_WalkStrings/heap_equal/1000",
                          "BM_WalkStrings/classic/1000",
                          "BM_LendBorrowRelease/classic",
                      },
                      /*slow=*/{},
                      /*gauges=*/
                      {
                          "BM_AllocateFree/heap/64",
                          "BM_AllocateFree/private_jemalloc/64",
                          "BM_AllocateFree/classic/64",
                      });
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
