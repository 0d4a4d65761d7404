// digest_program serve FOLDER        answers one request
// digest_program ask FOLDER TEXT     prints the digest of TEXT

#include <cstdint>
#include <iostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "digest.h"

int main(int argc, char** argv) {
  absl::Status status = absl::InvalidArgumentError("usage: digest_program serve FOLDER | ask FOLDER TEXT");
  const absl::string_view role = argc > 1 ? argv[1] : "";
  if (role == "serve" && argc == 3) {
    status = digest::ServeOnce(argv[2]);
  } else if (role == "ask" && argc == 4) {
    const absl::StatusOr<uint64_t> answer = digest::Ask(argv[2], argv[3]);
    status = answer.status();
    if (answer.ok()) std::cout << std::hex << *answer << std::endl;
  }
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}
