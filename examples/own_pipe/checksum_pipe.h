// A pipe of one's own: over any other, with a checksum behind each message.

#ifndef SLUICE_EXAMPLES_OWN_PIPE_CHECKSUM_PIPE_H_
#define SLUICE_EXAMPLES_OWN_PIPE_CHECKSUM_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_transport/buffered_pipe.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace own_pipe {

// [guide
class ChecksumPipe final : public ipc::BufferedPipe {
 public:
  // Owns `inner`; the peer wraps its end too.
  explicit ChecksumPipe(std::unique_ptr<ipc::Pipe> inner)
      : BufferedPipe(inner->max_message_bytes() - sizeof(uint32_t), inner->max_descriptors()),
        inner_(std::move(inner)) {}
  ~ChecksumPipe() override { Close(); }

  absl::StatusOr<ipc::Waitable> SendWaitable() override { return inner_->SendWaitable(); }
  absl::StatusOr<ipc::Waitable> ReceiveWaitable() override { return inner_->ReceiveWaitable(); }

 private:
  absl::StatusOr<bool> SendMessage(absl::Span<const ipc::Blob> parts, size_t bytes,
                                   absl::Span<const ipc::FdView> descriptors) override;
  absl::StatusOr<std::optional<size_t>> ReceiveMessage(absl::Span<std::byte> buffer, absl::Span<std::byte> overflow,
                                                       std::vector<ipc::Fd>* descriptors) override;
  absl::Status WaitForRoom(ipc::Deadline deadline) override;
  absl::Status WaitForMessage(ipc::Deadline deadline) override;
  absl::Status SendFinish() override { return inner_->FinishSending(); }
  void Shut() override { inner_->Close(); }

  const std::unique_ptr<ipc::Pipe> inner_;
};
// guide]

}  // namespace own_pipe

#endif  // SLUICE_EXAMPLES_OWN_PIPE_CHECKSUM_PIPE_H_
