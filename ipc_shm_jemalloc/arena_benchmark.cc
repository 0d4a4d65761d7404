// What the arena costs beside the plain heap and a private jemalloc, in the same run;
// ipc_shm/testing/ has the rows.
//
//   ./bazelw run //ipc_shm_jemalloc:arena_benchmark            # --quick: within 20 s

#include "ipc_shm/testing/arena_benchmarks.h"
#include "ipc_shm/testing/loan_benchmark.h"
#include "ipc_shm/testing/string_benchmarks.h"
#include "ipc_shm_jemalloc/arena.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "ipc_util/region.h"

int main(int argc, char** argv) {
  return ipc::testing::BenchmarkMain(argc, argv, [](ipc::testing::Rows) {
    const ipc::testing::ArenaKind kind = {.name = "jemalloc", .create = &ipc::shm::jemalloc::CreateArena};
    ipc::testing::RegisterArenaRows(kind);
    ipc::testing::RegisterStringRows(kind, ipc::Access::kReadOnly);
    ipc::testing::RegisterLoanRow<ipc::session::shm::jemalloc::Session, ipc::session::shm::jemalloc::Server>(
        "jemalloc");
  });
}
