// The frames of the login: what they say, and how they look on the socket.
//
//   client: hello    [outbox, regions...]  -->
//                                          <--  server: welcome [outbox, regions...], or refusal
//   client: ready                          -->
//
// Each is one packet: a header {magic, length, type, version}, a struct of fixed size and, in hello and welcome, the
// metadata. Decoding is the one step between a peer's bytes and their use. What never changes, so that any two versions
// understand each other: the header, the version range at the start of a hello, and the refusal.

#ifndef SLUICE_IPC_SESSION_INTERNAL_FRAMES_H_
#define SLUICE_IPC_SESSION_INTERNAL_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/internal/frame_header.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/refusal.h"
#include "ipc_session/internal/session_memory.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

inline constexpr uint16_t kOldestVersion = 1;
inline constexpr uint16_t kNewestVersion = 1;

// What each side brings into a session. Descriptors that go with it: the outbox, then the regions in their order.
struct SideTerms {
  MemoryKind kind = MemoryKind::kHeap;
  uint32_t channels = 0;                   // In a hello the wish, in a welcome what was agreed.
  uint32_t keep_alive_milliseconds = 0;    // This side is never silent for longer; 0: it may be.
  uint32_t idle_timeout_milliseconds = 0;  // And will not bear more of the other; 0: it will.
  OutboxLayout outbox = {};
  std::vector<uint64_t> region_bytes = {};
  std::vector<uint64_t> places = {};  // For the memories alone.
  std::string metadata = {};

  size_t descriptors() const { return 1 + region_bytes.size(); }

  friend bool operator==(const SideTerms&, const SideTerms&) = default;
};

struct Hello {
  std::string client_app;
  std::string server_app;
  SideTerms terms;

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Welcome {
  SideTerms terms;

  friend bool operator==(const Welcome&, const Welcome&) = default;
};

std::string Encode(const Hello& hello);
std::string Encode(const Welcome& welcome);
std::string Encode(const Refusal& refusal);
std::string EncodeReady();

// DATA_LOSS: no hello. FAILED_PRECONDITION (kWrongVersion): no common version; both ranges are in the text, which is
// fit for the client.
absl::StatusOr<Hello> DecodeHello(absl::Span<const std::byte> packet);

// DATA_LOSS: neither.
absl::StatusOr<std::variant<Welcome, Refusal>> DecodeAnswer(absl::Span<const std::byte> packet);

// DATA_LOSS: it is none.
absl::Status DecodeReady(absl::Span<const std::byte> packet);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_FRAMES_H_
