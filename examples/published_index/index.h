// What is published: on which lines of a text each word stands.

#ifndef SLUICE_EXAMPLES_PUBLISHED_INDEX_INDEX_H_
#define SLUICE_EXAMPLES_PUBLISHED_INDEX_INDEX_H_

#include <cstdint>

#include "ipc_shm/containers.h"

namespace published_index {

// Never changes once it is published: each version is an object of its own.
struct Index {
  uint32_t lines = 0;
  bool is_complete = false;
  ipc::shm::map<ipc::shm::string, ipc::shm::vector<uint32_t>> lines_of_word;
};

}  // namespace published_index

#endif  // SLUICE_EXAMPLES_PUBLISHED_INDEX_INDEX_H_
