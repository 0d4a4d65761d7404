// A program that follows the index of another.

#ifndef SLUICE_EXAMPLES_PUBLISHED_INDEX_READER_H_
#define SLUICE_EXAMPLES_PUBLISHED_INDEX_READER_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace published_index {

// Borrows one version after the other until the index is complete, and prints what it says. With `crashes`, it is
// killed with a version in its hands.
absl::Status Follow(absl::string_view name, bool crashes);

}  // namespace published_index

#endif  // SLUICE_EXAMPLES_PUBLISHED_INDEX_READER_H_
