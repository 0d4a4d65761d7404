#include "ipc_session/testing/scripted_login.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <random>
#include <utility>

#include "absl/types/span.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::OutboxLayout;
using ::ipc::internal::OwnOutbox;

constexpr uint64_t kRingBytes = 4096;
constexpr uint64_t kOutboxBytes = 1 << 20;

}  // namespace

ScriptedTerms::ScriptedTerms() {
  OwnOutbox outbox = OwnOutbox::Create(OutboxLayout::For(kOutboxBytes, kRingBytes, 1)).value();
  outbox.InitLanes(1);
  terms.channels = 1;
  terms.outbox = outbox.layout();
  descriptors.push_back(outbox.OpenReadOnly().value());
}

std::string HelloOf(const ScriptedTerms& script) {
  return Encode(::ipc::internal::Hello{.client_app = "cacheCli", .server_app = "cacheSrv", .terms = script.terms});
}

bool SendPacketOf(FdView socket, const std::string& packet, const std::vector<Fd>& descriptors) {
  const std::vector<FdView> views(descriptors.begin(), descriptors.end());
  return ::ipc::internal::SendFrame(socket, packet, views, TimeLimit()).ok();
}

std::vector<Fd> WrongDescriptors(size_t outbox_bytes) {
  std::vector<Fd> wrong;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  wrong.emplace_back(ends[0]);
  wrong.emplace_back(ends[1]);
  wrong.emplace_back(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  wrong.emplace_back(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (ftruncate(wrong.back().get(), static_cast<off_t>(outbox_bytes)) != 0) std::abort();
  for (const auto& [bytes, sharing] :
       {std::pair(outbox_bytes, Sharing::kManyWriters), std::pair(outbox_bytes + 4096, Sharing::kOneWriter),
        std::pair(outbox_bytes - 4096, Sharing::kOneWriter)}) {
    const Region region = Region::Create("wrong", bytes, sharing).value();
    wrong.push_back(Duplicate(region.fd()).value());
  }
  return wrong;
}

std::string RandomBytes(unsigned seed, size_t max_bytes) {
  std::mt19937 random(seed);
  std::string bytes(1 + random() % max_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
