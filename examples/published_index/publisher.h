// The program that owns the index, and lends each version of it to all readers.

#ifndef SLUICE_EXAMPLES_PUBLISHED_INDEX_PUBLISHER_H_
#define SLUICE_EXAMPLES_PUBLISHED_INDEX_PUBLISHER_H_

#include "absl/status/status.h"
#include "examples/published_index/universe.h"

namespace published_index {

// Takes `readers` of them in, publishes a text to them line by line, and prints what is left once all of them have
// gone. One that was killed meanwhile keeps nobody from going on, and nothing of it stays.
absl::Status Publish(memory::Server& server, int readers);

}  // namespace published_index

#endif  // SLUICE_EXAMPLES_PUBLISHED_INDEX_PUBLISHER_H_
