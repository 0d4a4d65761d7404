// Socket pipes of both kinds, and the frames that their tests send.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_SOCKET_PIPES_H_
#define SLUICE_IPC_TRANSPORT_TESTING_SOCKET_PIPES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "ipc_transport/internal/frame_socket.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// The bytes of a frame's header, and of a frame with its message.
std::vector<uint8_t> HeaderOf(uint8_t type, uint8_t descriptors, uint32_t bytes);
std::vector<uint8_t> FrameOf(const std::vector<std::byte>& message, uint8_t descriptors = 0);

// Failures end the program.
std::unique_ptr<SocketPipe> MakeSocketPipe(Fd socket, size_t max_message_bytes = 128 * 1024);

// Two ends; `type`: SOCK_SEQPACKET or SOCK_STREAM.
std::pair<std::unique_ptr<SocketPipe>, std::unique_ptr<SocketPipe>> MakeSocketPipes(int type,
                                                                                    size_t max_message_bytes = 128 *
                                                                                                               1024);
std::pair<std::unique_ptr<ipc::internal::FrameSocket>, std::unique_ptr<ipc::internal::FrameSocket>> MakeFrameSockets(
    int type, size_t max_message_bytes);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_SOCKET_PIPES_H_
