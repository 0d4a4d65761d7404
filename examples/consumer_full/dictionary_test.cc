// One process serves, another asks.

#include "dictionary.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

int main() {
  char folder[] = "/tmp/dictionary.XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  const pid_t server = fork();
  if (server == 0) {
    const absl::Status served = dictionary::ServeOnce(folder, {"shell", "sluice", "slice", "slope"});
    if (!served.ok()) std::cerr << "server: " << served << std::endl;
    _exit(served.ok() ? 0 : 1);
  }
  const absl::StatusOr<std::vector<std::string>> words = dictionary::Find(folder, "sl");
  int server_exit = -1;
  waitpid(server, &server_exit, 0);
  std::filesystem::remove_all(folder);

  if (!words.ok()) std::cerr << "reader: " << words.status() << std::endl;
  return words.ok() && *words == std::vector<std::string>{"sluice", "slice", "slope"} && server_exit == 0 ? 0 : 1;
}
