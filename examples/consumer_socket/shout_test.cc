// One process serves, another asks.

#include "shout.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

int main() {
  char folder[] = "/tmp/shout.XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  const std::string path = std::string(folder) + "/socket";
  const pid_t server = fork();
  if (server == 0) {
    const absl::Status served = shout::ServeOneClient(path);
    if (!served.ok()) std::cerr << "server: " << served << std::endl;
    _exit(served.ok() ? 0 : 1);
  }
  const absl::StatusOr<std::string> answer = shout::Ask(path, "hello");
  int server_exit = -1;
  waitpid(server, &server_exit, 0);
  std::filesystem::remove_all(folder);

  if (!answer.ok()) std::cerr << "asker: " << answer.status() << std::endl;
  return answer.ok() && *answer == "HELLO" && server_exit == 0 ? 0 : 1;
}
