// dictionary_program serve FOLDER WORD...    answers one request
// dictionary_program find FOLDER PREFIX      prints the server's words that begin with PREFIX

#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dictionary.h"

int main(int argc, char** argv) {
  absl::Status status =
      absl::InvalidArgumentError("usage: dictionary_program serve FOLDER WORD... | find FOLDER PREFIX");
  const absl::string_view role = argc > 1 ? argv[1] : "";
  if (role == "serve" && argc >= 3) {
    status = dictionary::ServeOnce(argv[2], std::vector<std::string>(argv + 3, argv + argc));
  } else if (role == "find" && argc == 4) {
    const absl::StatusOr<std::vector<std::string>> words = dictionary::Find(argv[2], argv[3]);
    status = words.status();
    if (words.ok()) {
      for (const std::string& word : *words) std::cout << word << "\n";
    }
  }
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}
