// shout_program serve PATH         listens at PATH for one client
// shout_program ask PATH TEXT      prints TEXT as the server shouts it

#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shout.h"

int main(int argc, char** argv) {
  absl::Status status = absl::InvalidArgumentError("usage: shout_program serve PATH | ask PATH TEXT");
  const absl::string_view role = argc > 1 ? argv[1] : "";
  if (role == "serve" && argc == 3) {
    status = shout::ServeOneClient(argv[2]);
  } else if (role == "ask" && argc == 4) {
    const absl::StatusOr<std::string> answer = shout::Ask(argv[2], argv[3]);
    status = answer.status();
    if (answer.ok()) std::cout << *answer << std::endl;
  }
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}
