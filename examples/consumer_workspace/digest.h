// A service that computes digests of texts, which it reads where its clients wrote them.

#ifndef DIGEST_DIGEST_H_
#define DIGEST_DIGEST_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digest {

// Answers one request of one client; `run_folder` is where both meet.
absl::Status ServeOnce(const std::string& run_folder);

// The digest that a server says `text` has; waits for one to start.
absl::StatusOr<uint64_t> Ask(const std::string& run_folder, absl::string_view text);

}  // namespace digest

#endif  // DIGEST_DIGEST_H_
