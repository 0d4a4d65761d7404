#include "ipc_transport/internal/mq_handshake.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "ipc_transport/internal/hello.h"
#include "ipc_transport/internal/message_checks.h"
#include "ipc_transport/internal/mq_record.h"
#include "ipc_transport/pipe.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint32_t kMagic = 0x6950714d;  // "MqPi".
constexpr uint16_t kOldestVersion = 1;
constexpr uint16_t kNewestVersion = 1;

struct Hello {
  uint32_t magic = kMagic;
  uint16_t oldest_version = kOldestVersion;
  uint16_t newest_version = kNewestVersion;
  uint32_t message_bytes = 0;
  uint32_t messages = 0;
};
static_assert(std::is_trivially_copyable_v<Hello> && sizeof(Hello) == 16);

// The one step that the peer's hello goes through before it is used.
absl::Status Validate(const Hello& hello, size_t bytes, size_t descriptors) {
  if (bytes != sizeof(Hello) || hello.magic != kMagic || descriptors != 1) {
    return absl::DataLossError("the peer does not speak the protocol of queue pipes");
  }
  SLUICE_RETURN_IF_ERROR(CheckCommonVersion("queue protocol", {kOldestVersion, kNewestVersion},
                                            {hello.oldest_version, hello.newest_version}));
  if (hello.message_bytes <= sizeof(MqRecordHeader) || hello.message_bytes > kMaxMqMessageBytes || hello.messages < 2 ||
      hello.messages > kMaxMqMessages) {
    return absl::DataLossError(
        absl::StrCat("the peer's queue of ", hello.messages, " messages of ", hello.message_bytes, " bytes cannot be"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MqHandshake> MqHandshake::Create(Fd socket, const MqShape& shape) {
  SLUICE_RETURN_IF_ERROR(CheckCompanion(socket));
  SLUICE_ASSIGN_OR_RETURN(MqQueue queue, MakeMqQueue(shape));
  return MqHandshake(std::move(socket), shape, std::move(queue));
}

absl::Status MqHandshake::Send(Deadline deadline) {
  const Hello hello = {.message_bytes = static_cast<uint32_t>(shape_.message_bytes),
                       .messages = static_cast<uint32_t>(shape_.messages)};
  const FdView reader = queue_.reader;
  SLUICE_RETURN_IF_ERROR(SendHello(socket_, Blob(reinterpret_cast<const std::byte*>(&hello), sizeof(hello)),
                                   absl::MakeConstSpan(&reader, 1), deadline));
  queue_.reader.Close();
  os::Point("mq.hello.sent");
  return absl::OkStatus();
}

absl::StatusOr<MqParts> MqHandshake::Receive(Deadline deadline, PidFd process) && {
  Hello hello;
  std::vector<Fd> descriptors;
  SLUICE_ASSIGN_OR_RETURN(const size_t bytes,
                          ReceiveHello(socket_, absl::MakeSpan(reinterpret_cast<std::byte*>(&hello), sizeof(hello)),
                                       &descriptors, deadline));
  os::Point("mq.hello.received");
  SLUICE_RETURN_IF_ERROR(Validate(hello, bytes, descriptors.size()));
  const MqShape peer = {.message_bytes = hello.message_bytes, .messages = hello.messages};
  SLUICE_RETURN_IF_ERROR(CheckMqReader(descriptors[0], peer));
  if (!process.valid()) {
    SLUICE_ASSIGN_OR_RETURN(process, WatchPeer(socket_));
  }
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<Link> link, Link::Create(std::move(socket_), std::move(process)));
  return MqParts{.link = std::move(link),
                 .own = std::move(queue_.writer),
                 .own_shape = shape_,
                 .peer = std::move(descriptors[0]),
                 .peer_shape = peer};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
