#include "ipc_util/internal/random.h"

#include <unistd.h>

#include "ipc_util/internal/clock.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

}  // namespace

Random::Random()
    : state_(static_cast<uint64_t>(NowNanos()) ^ (static_cast<uint64_t>(getpid()) * kGoldenRatio) ^
             reinterpret_cast<uintptr_t>(this)) {}

uint64_t Random::Next() {
  uint64_t mixed = state_ += kGoldenRatio;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
