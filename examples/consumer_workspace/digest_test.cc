// One process serves, another asks.

#include "digest.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <iostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Both libraries are those of this tree: sluice_deps() replaced neither, and Sluice itself uses them.
#ifndef DIGEST_XXHASH
#error "@xxhash is not the one that this WORKSPACE defines"
#endif
#ifndef DIGEST_BOOST
#error "Sluice does not use the @boost.interprocess that this WORKSPACE defines"
#endif

int main() {
  char folder[] = "/tmp/digest.XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  const pid_t server = fork();
  if (server == 0) {
    const absl::Status served = digest::ServeOnce(folder);
    if (!served.ok()) std::cerr << "server: " << served << std::endl;
    _exit(served.ok() ? 0 : 1);
  }
  const absl::StatusOr<uint64_t> answer = digest::Ask(folder, "xxhash");
  int server_exit = -1;
  waitpid(server, &server_exit, 0);
  std::filesystem::remove_all(folder);

  if (!answer.ok()) std::cerr << "asker: " << answer.status() << std::endl;
  return answer.ok() && *answer == 0x32dd38952c4bc720 && server_exit == 0 ? 0 : 1;
}
