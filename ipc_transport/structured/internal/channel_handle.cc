#include "ipc_transport/structured/internal/channel_handle.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

ChannelHandle& ChannelHandle::operator=(ChannelHandle&& other) noexcept {
  if (this != &other) {
    Close();
    core_ = std::move(other.core_);
  }
  return *this;
}

absl::Status ChannelHandle::MovedFrom() {
  return absl::FailedPreconditionError("the structured channel was moved from");
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
