#include "ipc_transport/internal/mq_name_exchange.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "absl/types/span.h"
#include "ipc_transport/internal/hello.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/mq_names.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint32_t kMagic = 0x6e4e714d;        // "MqNn".
constexpr uint32_t kOpenedMagic = 0x704f714d;  // "MqOp".
constexpr uint16_t kOldestVersion = 1;
constexpr uint16_t kNewestVersion = 1;

struct Hello {
  uint32_t magic = kMagic;
  uint16_t oldest_version = kOldestVersion;
  uint16_t newest_version = kNewestVersion;
  char name[kMaxMqNameBytes + 1] = {};  // Filled up with zeros.
};
static_assert(std::is_trivially_copyable_v<Hello> && sizeof(Hello) == 136);

absl::Span<std::byte> BytesOf(auto& value) {
  return absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof(value));
}

absl::Status SpeaksOtherwise() {
  return absl::DataLossError("the peer does not speak the protocol of queues with names");
}

// The one step that the peer's hello goes through before it is used.
absl::Status Validate(const Hello& hello, size_t bytes, size_t descriptors) {
  if (bytes != sizeof(Hello) || hello.magic != kMagic || descriptors != 0) return SpeaksOtherwise();
  SLUICE_RETURN_IF_ERROR(CheckCommonVersion("protocol of names", {kOldestVersion, kNewestVersion},
                                            {hello.oldest_version, hello.newest_version}));
  if (hello.name[kMaxMqNameBytes] != '\0' || !MqName::Parse(hello.name).has_value()) return SpeaksOtherwise();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ExchangeMqNames(FdView socket, const std::string& own, Deadline deadline) {
  Hello hello;
  own.copy(hello.name, kMaxMqNameBytes);
  SLUICE_RETURN_IF_ERROR(SendHello(socket, BytesOf(hello), {}, deadline));
  os::Point("mq.name.sent");
  std::vector<Fd> descriptors;
  SLUICE_ASSIGN_OR_RETURN(const size_t bytes, ReceiveHello(socket, BytesOf(hello), &descriptors, deadline));
  os::Point("mq.name.received");
  SLUICE_RETURN_IF_ERROR(Validate(hello, bytes, descriptors.size()));
  return std::string(hello.name);
}

absl::Status ExchangeMqOpened(FdView socket, Deadline deadline) {
  uint32_t magic = kOpenedMagic;
  SLUICE_RETURN_IF_ERROR(SendHello(socket, BytesOf(magic), {}, deadline));
  os::Point("mq.opened.sent");
  std::vector<Fd> descriptors;
  SLUICE_ASSIGN_OR_RETURN(const size_t bytes, ReceiveHello(socket, BytesOf(magic), &descriptors, deadline));
  if (bytes != sizeof(magic) || magic != kOpenedMagic || !descriptors.empty()) return SpeaksOtherwise();
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
