#include "ipc_session/internal/login_half.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

MemoryKind KindOf(const SessionMemoryFactory* factory) {
  return factory == nullptr ? MemoryKind::kHeap : factory->kind();
}

absl::StatusOr<LoginHalf> LoginHalf::Create(Side side, const SessionOptions& options,
                                            const SessionMemoryFactory* factory) {
  std::shared_ptr<SessionMemory> memory;
  if (factory != nullptr) {
    SLUICE_ASSIGN_OR_RETURN(memory, factory->Create(side, options.arena_bytes));
  }
  SLUICE_ASSIGN_OR_RETURN(OwnOutbox outbox, OwnOutbox::Create(options.ring_bytes));
  SLUICE_ASSIGN_OR_RETURN(Fd outbox_for_peer, outbox.OpenReadOnly());
  return LoginHalf(KindOf(factory), std::move(outbox), std::move(outbox_for_peer), std::move(memory));
}

LoginHalf::LoginHalf(MemoryKind kind, OwnOutbox outbox, Fd outbox_for_peer, std::shared_ptr<SessionMemory> memory)
    : kind_(kind), own_(std::move(outbox)), own_for_peer_(std::move(outbox_for_peer)), memory_(std::move(memory)) {}

absl::StatusOr<LoginHalf::Outgoing> LoginHalf::Offer(const SessionOptions& options) {
  Outgoing outgoing = {.terms = {.kind = kind_,
                                 .channels = static_cast<uint32_t>(options.channels),
                                 .outbox = own_.layout(),
                                 .metadata = options.metadata},
                       .descriptors = {own_for_peer_}};
  if (memory_ == nullptr) return outgoing;
  SLUICE_ASSIGN_OR_RETURN(const std::vector<OfferedRegion> regions, memory_->Offer());
  if (regions.size() > SessionMemory::kMaxRegions) {
    return absl::InternalError(absl::StrCat("the session's memory offers ", regions.size(), " regions; at most ",
                                            SessionMemory::kMaxRegions, " travel"));
  }
  for (const OfferedRegion& region : regions) {
    outgoing.terms.region_bytes.push_back(region.bytes);
    outgoing.descriptors.push_back(region.fd);
  }
  return outgoing;
}

absl::Status LoginHalf::Adopt(SideTerms terms, std::vector<Fd> descriptors) {
  if (descriptors.size() != terms.descriptors()) {
    return absl::DataLossError(
        absl::StrCat("the peer sent ", descriptors.size(), " descriptors, where ", terms.descriptors(), " are due"));
  }
  SLUICE_ASSIGN_OR_RETURN(peer_, PeerOutbox::Map(std::move(descriptors[0]), terms.outbox));
  peer_metadata_ = std::move(terms.metadata);
  std::vector<ReceivedRegion> regions;
  for (size_t i = 0; i < terms.region_bytes.size(); ++i) {
    regions.push_back({.fd = std::move(descriptors[1 + i]), .bytes = terms.region_bytes[i]});
  }
  if (memory_ != nullptr) return memory_->Adopt(std::move(regions));
  if (!regions.empty()) return absl::DataLossError("the peer sent regions into a session without shared memory");
  return absl::OkStatus();
}

void LoginHalf::AgreeOn(uint32_t channels) {
  channels_ = channels;
  own_.InitLanes(channels);
}

absl::StatusOr<std::shared_ptr<SessionCore>> LoginHalf::Open(Fd socket, PidFd process, SessionPeer peer) && {
  return SessionCore::Create({
      .socket = std::move(socket),
      .process = std::move(process),
      .outboxes = std::make_shared<const Outboxes>(Outboxes{.own = std::move(own_), .peer = *std::move(peer_)}),
      .channels = channels_,
      .memory = std::move(memory_),
      .peer = std::move(peer),
      .peer_metadata = std::move(peer_metadata_),
  });
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
