// A system of one's own for tests of message queues: no names but theirs, and limits that they may change.

#ifndef SLUICE_IPC_TRANSPORT_TESTING_MQ_WORLD_H_
#define SLUICE_IPC_TRANSPORT_TESTING_MQ_WORLD_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Moves this process, for good, into an IPC namespace and a mount namespace of its own, where /dev holds an empty
// mqueue and an empty shm. Its children are born there. False: this process may not; a test that needs it skips loudly.
// Needs `no_sandbox`.
bool EnterMqWorld();

// Has the test program do so before its tests, where it may: `static const bool own_world = MqWorldForAllTests();`.
bool MqWorldForAllTests();

// Whether `MqWorldForAllTests` could.
bool IsInMqWorld();

// Sets fs.mqueue.`limit`. Ends the program where that fails.
void SetMqLimit(absl::string_view limit, int value);

// What is in /dev/mqueue.
std::vector<std::string> MqNames();

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_TESTING_MQ_WORLD_H_
