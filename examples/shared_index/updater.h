// The program that owns the index and fills it.

#ifndef SLUICE_EXAMPLES_SHARED_INDEX_UPDATER_H_
#define SLUICE_EXAMPLES_SHARED_INDEX_UPDATER_H_

#include "absl/status/status.h"

namespace shared_index {

// Connects to the reader, lends it an index and adds a text to it, line by line. With `crashes`, it is killed amid
// that, with the lock held.
absl::Status RunUpdater(bool crashes);

}  // namespace shared_index

#endif  // SLUICE_EXAMPLES_SHARED_INDEX_UPDATER_H_
