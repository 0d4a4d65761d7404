// What the arena costs beside the plain heap and a private jemalloc, in the same run;
// ipc_shm/testing/arena_benchmarks.h has the rows.
//
//   ./bazelw run //ipc_shm_jemalloc:arena_benchmark            # --quick: within 20 s

#include "ipc_shm/testing/arena_benchmarks.h"
#include "ipc_shm/testing/loan_benchmark.h"
#include "ipc_shm_jemalloc/arena.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/testing/benchmark_main.h"

int main(int argc, char** argv) {
  return ipc::testing::BenchmarkMain(argc, argv, [](ipc::testing::Rows) {
    ipc::testing::RegisterArenaRows({.name = "jemalloc", .create = &ipc::shm::jemalloc::CreateArena});
    ipc::testing::RegisterLoanRow<ipc::session::shm::jemalloc::Session, ipc::session::shm::jemalloc::Server>(
        "jemalloc");
  });
}
