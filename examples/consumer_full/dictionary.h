// A service that finds words by their beginning. Its answers lie in shared memory that only the server can write.

#ifndef DICTIONARY_DICTIONARY_H_
#define DICTIONARY_DICTIONARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dictionary {

// Answers one request of one client out of `words`; `run_folder` is where both meet.
absl::Status ServeOnce(const std::string& run_folder, const std::vector<std::string>& words);

// The server's words that begin with `prefix`; waits for a server to start.
absl::StatusOr<std::vector<std::string>> Find(const std::string& run_folder, const std::string& prefix);

}  // namespace dictionary

#endif  // DICTIONARY_DICTIONARY_H_
