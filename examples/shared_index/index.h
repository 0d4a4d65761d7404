// What the two programs share: on which lines of a text each word stands.

#ifndef SLUICE_EXAMPLES_SHARED_INDEX_INDEX_H_
#define SLUICE_EXAMPLES_SHARED_INDEX_INDEX_H_

#include <cstdint>

#include "ipc_shm/containers.h"
#include "ipc_shm/robust_mutex.h"

namespace shared_index {

// [guide
struct Index {
  ipc::shm::RobustMutex mutex;  // Guards what follows.
  ipc::shm::RobustCondition changed;
  uint32_t lines = 0;
  bool is_complete = false;
  ipc::shm::map<ipc::shm::string, ipc::shm::vector<uint32_t>> lines_of_word;
};
// guide]

}  // namespace shared_index

#endif  // SLUICE_EXAMPLES_SHARED_INDEX_INDEX_H_
