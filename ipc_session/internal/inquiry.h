// An inquiry: somebody connects to a server's socket and asks, instead of saying hello, what sessions it has.
//
//   asker: inquiry  -->
//                   <--  server: reports, or refusal
//
// A report is cut into packets: {bytes in all, where this part begins}, and the part. Put together it is a struct of
// fixed size for the server, and behind it each session's with its channels' behind it. Decoding is the one step
// between a server's bytes and their use.

#ifndef SLUICE_IPC_SESSION_INTERNAL_INQUIRY_H_
#define SLUICE_IPC_SESSION_INTERNAL_INQUIRY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/session_report.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Versions of the inquiry and the report; not those of sessions.
inline constexpr uint16_t kInquiryVersion = 1;

std::string EncodeInquiry();

// Whether it is one by its header, well-formed or not.
bool IsInquiry(absl::Span<const std::byte> packet);

// DATA_LOSS: malformed. FAILED_PRECONDITION (kWrongVersion): no common version; fit for the asker.
absl::Status DecodeInquiry(absl::Span<const std::byte> packet);

// At most `kMaxListedSessions` and `kMaxListedChannels` are in it.
std::deque<std::string> EncodeReport(const ServerReport& report);

// Puts the packets of a report together.
class ReportReader {
 public:
  // True: that was the last. DATA_LOSS: no part of a report, or not the one that is due. The error of a refusal.
  absl::StatusOr<bool> Add(absl::Span<const std::byte> packet);

  // Once `Add` has returned true. DATA_LOSS: it cannot be.
  absl::StatusOr<ServerReport> Decode() const;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_INQUIRY_H_
