// An object of containers that knows whether each of its bytes is as it should be.

#ifndef SLUICE_IPC_SHM_TESTING_MODEL_OBJECT_H_
#define SLUICE_IPC_SHM_TESTING_MODEL_OBJECT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

#include "ipc_shm/containers.h"
#include "ipc_shm/optional.h"
#include "ipc_shm/robust_mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

using Random = std::mt19937_64;

// Scribbled over when it is destroyed. It is not locked: `mutex` is for whoever shares it.
class ModelObject {
 public:
  // Of some `bytes`, in pieces of all sizes; looks like `seed`. May throw ArenaFull.
  ModelObject(uint64_t seed, size_t bytes);
  ModelObject(const ModelObject&) = delete;
  ModelObject& operator=(const ModelObject&) = delete;
  ~ModelObject();

  // Every byte is what it was when it was made or changed.
  bool IsGood() const;

  // Changes containers: adds, removes, grows and frees. In a full arena it does less, and is good as well.
  void ChangeContainers(Random& random);
  // Changes what it has without containers; a process that dies meanwhile leaves it to be repaired.
  void ChangeNumbers(Random& random);
  void RepairNumbers();

  // In this process.
  static int living() { return living_; }

  mutable shm::RobustMutex mutex;

 private:
  uint64_t ContainersSum() const;
  uint64_t NumbersSum() const;
  void Change(Random& random);

  static inline int living_ = 0;

  std::array<uint64_t, 64> numbers_;
  uint64_t numbers_sum_;
  shm::string text_;
  shm::map<shm::string, shm::vector<shm::string>> names_;
  shm::unordered_map<uint64_t, shm::string> pieces_;
  shm::deque<uint64_t> queue_;
  shm::optional<shm::string> maybe_;
  uint64_t containers_sum_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_MODEL_OBJECT_H_
