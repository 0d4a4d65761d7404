#include "ipc_transport/structured/internal/channel_handle.h"

#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/internal/schema_identity.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

ChannelHandle& ChannelHandle::operator=(ChannelHandle&& other) noexcept {
  if (this != &other) {
    if (core_ != nullptr) core_->Close();
    core_ = std::move(other.core_);
  }
  return *this;
}

ChannelHandle::~ChannelHandle() {
  if (core_ != nullptr) core_->Close();
}

const std::shared_ptr<ChannelCore>& ChannelHandle::MovedFrom() {
  static const SchemaIdentity& none = *new SchemaIdentity;
  static const auto& core = *new std::shared_ptr<ChannelCore>(ChannelCore::Create(Channel(), nullptr, none, {}));
  return core;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
