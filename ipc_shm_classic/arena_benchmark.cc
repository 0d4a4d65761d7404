// What the arena costs beside the plain heap and a private jemalloc, in the same run;
// ipc_shm/testing/ has the rows.
//
//   ./bazelw run //ipc_shm_classic:arena_benchmark            # --quick: within 20 s

#include "ipc_shm/testing/arena_benchmarks.h"
#include "ipc_shm/testing/loan_benchmark.h"
#include "ipc_shm/testing/string_benchmarks.h"
#include "ipc_shm_classic/arena.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "ipc_util/region.h"

int main(int argc, char** argv) {
  return ipc::testing::BenchmarkMain(argc, argv, [](ipc::testing::Rows) {
    const ipc::testing::ArenaKind kind = {.name = "classic", .create = &ipc::shm::classic::CreateArena};
    ipc::testing::RegisterArenaRows(kind);
    ipc::testing::RegisterStringRows(kind, ipc::Access::kReadWrite);
    ipc::testing::RegisterLoanRow<ipc::session::shm::classic::Session, ipc::session::shm::classic::Server>("classic");
  });
}
