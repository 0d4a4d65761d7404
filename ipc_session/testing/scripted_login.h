// What a login's frames are made of, for a peer that follows a script instead of the protocol.

#ifndef SLUICE_IPC_SESSION_TESTING_SCRIPTED_LOGIN_H_
#define SLUICE_IPC_SESSION_TESTING_SCRIPTED_LOGIN_H_

#include <string>
#include <vector>

#include "ipc_session/internal/frames.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// What a heap session's side offers, and the outbox that goes with it. A script bends them before it sends them.
struct ScriptedTerms {
  ScriptedTerms();

  ::ipc::internal::SideTerms terms;
  std::vector<Fd> descriptors;
};

// A hello of app cacheCli to server cacheSrv.
std::string HelloOf(const ScriptedTerms& script);

// Sends a packet, which need not be a frame; false: the other side has gone.
bool SendPacketOf(FdView socket, const std::string& packet, const std::vector<Fd>& descriptors = {});

// The kinds of descriptor that are no outbox: none, a pipe, a directory, an unsealed memfd, one of another size.
std::vector<Fd> WrongDescriptors(size_t outbox_bytes);

// A frame's bytes with `bytes` of random ones from `seed` instead.
std::string RandomBytes(unsigned seed, size_t max_bytes);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_SCRIPTED_LOGIN_H_
