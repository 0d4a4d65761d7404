#include "ipc_transport/structured/internal/joiner.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

absl::StatusOr<bool> Joiner::Add(const FragmentRecord& fragment) {
  if (fragment.id != id_) {
    if (fragment.offset != 0) {
      return absl::DataLossError(absl::StrCat("the peer sent bytes at ", fragment.offset, " of message ", fragment.id,
                                              " without its beginning"));
    }
    Abandon();
    id_ = fragment.id;
    total_ = fragment.total;
    if (absl::Status status = CheckSize(fragment.total); !status.ok()) {
      is_dropping_ = true;
      received_ = fragment.bytes.size();
      return status;
    }
  }
  if (fragment.offset != received_ || fragment.total != total_) {
    return absl::DataLossError(absl::StrCat("the peer sent bytes at ", fragment.offset, " of ", fragment.total,
                                            " where those at ", received_, " of ", total_, " were due"));
  }
  received_ += fragment.bytes.size();
  if (!is_dropping_) {
    if (absl::Status status = MakeRoom(received_); !status.ok()) {
      bytes_ = {};
      is_dropping_ = true;
      return status;
    }
    std::memcpy(bytes_.data() + fragment.offset, fragment.bytes.data(), fragment.bytes.size());
  }
  return received_ == total_ && !is_dropping_;
}

absl::Status Joiner::CheckSize(uint64_t bytes) const {
  if (bytes <= max_bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the peer sends a message of ", bytes, " bytes, this side takes ",
                                                   max_bytes_,
                                                   "; raise StructuredChannelOptions::max_heap_message_bytes"));
}

absl::Status Joiner::MakeRoom(size_t bytes) {
  if (bytes <= bytes_.size()) return absl::OkStatus();
  return bytes_.Grow(std::min(total_, std::max({bytes, 2 * bytes_.size(), kFirstBytes})));
}

HeapBytes Joiner::Take() {
  HeapBytes bytes = std::move(bytes_);
  Clear();
  return bytes;
}

void Joiner::Clear() {
  id_ = 0;
  is_dropping_ = false;
  total_ = 0;
  received_ = 0;
  bytes_ = {};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
