// The program that reads the index of another.

#ifndef SLUICE_EXAMPLES_SHARED_INDEX_READER_H_
#define SLUICE_EXAMPLES_SHARED_INDEX_READER_H_

#include "absl/status/status.h"
#include "examples/shared_index/universe.h"

namespace shared_index {

// Takes one updater in, follows its index until it is complete, and prints what it found. UNAVAILABLE: the updater was
// killed while it changed the index.
absl::Status ServeOneUpdater(memory::Server& server);

}  // namespace shared_index

#endif  // SLUICE_EXAMPLES_SHARED_INDEX_READER_H_
