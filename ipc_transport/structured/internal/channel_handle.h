// Owns a channel's core: closes it when it is destroyed, whoever still shares it.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_HANDLE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_HANDLE_H_

#include <memory>
#include <utility>

#include "ipc_transport/structured/internal/channel_core.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Move-only.
class ChannelHandle {
 public:
  explicit ChannelHandle(std::shared_ptr<ChannelCore> core) : core_(std::move(core)) {}
  ChannelHandle(ChannelHandle&&) noexcept = default;
  ChannelHandle& operator=(ChannelHandle&& other) noexcept;
  ~ChannelHandle();

  // Once moved from: a core whose every call says so.
  const std::shared_ptr<ChannelCore>& core() const { return core_ != nullptr ? core_ : MovedFrom(); }
  ChannelCore* operator->() const { return core().get(); }

 private:
  static const std::shared_ptr<ChannelCore>& MovedFrom();

  std::shared_ptr<ChannelCore> core_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_HANDLE_H_
