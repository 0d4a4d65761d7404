// A refusal, of a login or of a channel: what the peer may know of why, and how it looks on the socket.

#ifndef SLUICE_IPC_SESSION_INTERNAL_REFUSAL_H_
#define SLUICE_IPC_SESSION_INTERNAL_REFUSAL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

struct Refusal {
  static constexpr size_t kMaxTextBytes = 128;

  absl::StatusCode code = absl::StatusCode::kPermissionDenied;
  Reason reason = Reason::kNone;
  std::string text;

  // RESOURCE_EXHAUSTED (kLimit).
  static Refusal AtALimit(absl::string_view text);

  // "refused: <text>", with code and reason: what the refused side's call returns.
  absl::Status ToStatus() const;

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

// Numbers of its own, so that neither abseil's nor the enum's may move. The layout is that of every version.
struct RefusalBody {
  uint16_t code;
  uint16_t reason;
  uint32_t text_bytes;
  std::array<char, Refusal::kMaxTextBytes> text = {};
};
static_assert(sizeof(RefusalBody) == 136);

// The text is cut to `kMaxTextBytes`; what is not printable ASCII becomes "?". A code that does not travel becomes
// UNAVAILABLE.
RefusalBody ToBody(const Refusal& refusal);

// INVALID_ARGUMENT, saying what is wrong: no refusal. A reason that a later version invented is `kNone`.
absl::StatusOr<Refusal> FromBody(const RefusalBody& body);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_REFUSAL_H_
