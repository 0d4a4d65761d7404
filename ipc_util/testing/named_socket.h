// A listening Unix socket with a name, and a way to it: so that a peer is another process than the one that made the
// pair, which socketpair(2) cannot do.

#ifndef SLUICE_IPC_UTIL_TESTING_NAMED_SOCKET_H_
#define SLUICE_IPC_UTIL_TESTING_NAMED_SOCKET_H_

#include <string>

#include "ipc_util/fd.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// A SEQPACKET socket at `path()`, open to every user. Failures end the program.
class NamedSocket {
 public:
  NamedSocket();

  const std::string& path() const { return path_; }

  // The next connection, waited for within the time limit.
  Fd Accept();

  // A connection to the one at `path`, from any process.
  static Fd ConnectTo(const std::string& path);

 private:
  const TempDir folder_;
  const std::string path_ = folder_.path() + "/socket";
  const Fd socket_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_NAMED_SOCKET_H_
