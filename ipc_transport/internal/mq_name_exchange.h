// How two ends of a socket tell each other the names of queues that are opened by name.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_NAME_EXCHANGE_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_NAME_EXCHANGE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Tells the peer `own`; returns its name, which is as of `MqName`. FAILED_PRECONDITION: no common version. DATA_LOSS:
// the peer speaks something else. Others as `SendHello` and `ReceiveHello`.
absl::StatusOr<std::string> ExchangeMqNames(FdView socket, const std::string& own, Deadline deadline);

// Tells the peer that its queue is open here, and waits for the same. Then the names can go. Errors as above.
absl::Status ExchangeMqOpened(FdView socket, Deadline deadline);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_NAME_EXCHANGE_H_
