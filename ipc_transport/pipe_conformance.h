// What every pipe must do: one suite, stamped on each kind. A user's own pipe passes it too:
//
//   SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Mine, {.create_pair = ..., .from_socket = ...});
//
// Link with //ipc_util/testing:test_main: the peer that gets killed is a process of its own.

#ifndef SLUICE_IPC_TRANSPORT_PIPE_CONFORMANCE_H_
#define SLUICE_IPC_TRANSPORT_PIPE_CONFORMANCE_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

using PipePair = std::pair<std::unique_ptr<Pipe>, std::unique_ptr<Pipe>>;

// One kind of pipe.
struct PipeKindUnderTest {
  // Both ends in this process.
  absl::StatusOr<PipePair> (*create_pair)();
  // One end over a connected SEQPACKET socket; the other process does the same.
  absl::StatusOr<std::unique_ptr<Pipe>> (*from_socket)(Fd socket);
  // Places in `from_socket` where the peer is killed (ipc_util/internal/os.h): all of them.
  std::vector<const char*> points = {};
  // Whether an event loop can watch it.
  bool has_waitables = true;
};

class PipeConformance : public ::testing::TestWithParam<PipeKindUnderTest> {
 protected:
  PipePair MakePair();
};

// Tells the role of the killed peer how to make its end; done by the macro below.
int SetPeerPipe(absl::StatusOr<std::unique_ptr<Pipe>> (*from_socket)(Fd socket));

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program.
#define SLUICE_INSTANTIATE_PIPE_CONFORMANCE(name, ...)                                 \
  static const ::ipc::testing::PipeKindUnderTest kind_##name = __VA_ARGS__;            \
  static const int peer_##name = ::ipc::testing::SetPeerPipe(kind_##name.from_socket); \
  namespace ipc {                                                                      \
  inline namespace sluice_0 {                                                          \
  namespace testing {                                                                  \
  INSTANTIATE_TEST_SUITE_P(name, PipeConformance, ::testing::Values(kind_##name));     \
  }                                                                                    \
  }                                                                                    \
  }                                                                                    \
  static_assert(true)

#endif  // SLUICE_IPC_TRANSPORT_PIPE_CONFORMANCE_H_
