// What shared-memory kinds of session add to a plain one: regions that travel in the login and later, and a message
// store.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_MEMORY_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_session/arena_pages.h"
#include "ipc_util/fd.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {

class MessageStore;

namespace internal {

// Travels in the login; differing kinds refuse each other.
enum class MemoryKind : uint8_t { kHeap = 0, kClassic = 1, kJemalloc = 2 };

absl::string_view Name(MemoryKind kind);

enum class Side : uint8_t { kClient, kServer };

// A region for the peer: its number is its place in the list.
struct OfferedRegion {
  FdView fd;
  uint64_t bytes = 0;
};
struct ReceivedRegion {
  Fd fd;
  uint64_t bytes = 0;  // As the peer says; unchecked.
};

// What one side's memory says to the other's in the login. Places are addresses, which mean nothing to the session.
struct MemoryOffer {
  std::vector<OfferedRegion> regions = {};
  std::vector<uint64_t> places = {};
};
struct ReceivedMemory {
  std::vector<ReceivedRegion> regions = {};
  std::vector<uint64_t> places = {};  // Unchecked.
};

// How the memory of an open session tells the peer of further regions, hears of the peer's, and of what comes back. Any
// thread; nothing waits.
class RegionExchange {
 public:
  virtual ~RegionExchange() = default;

  // Tells the peer of a region at `address`, now or as soon as the session's socket has room, and returns its number.
  // RESOURCE_EXHAUSTED: kMaxLaterRegions were announced, or no descriptor is to be had for it. Other errors: why the
  // session has ended.
  virtual absl::StatusOr<uint32_t> Announce(const OfferedRegion& region, uint64_t address) = 0;
  // Whether the announcement of region `number` is on its way, so that the peer finds it before it can find anything
  // that is sent from now on.
  virtual bool IsAnnounced(uint32_t number) = 0;
  // Takes in what the peer announced.
  virtual void TakeIn() = 0;

  // For whoever waits for what the peer gives back: readable at first, and from when the peer rang until
  // `QuietReleases`. RESOURCE_EXHAUSTED: no descriptor for it (raise RLIMIT_NOFILE).
  virtual absl::StatusOr<FdView> ReleasesFd() = 0;
  // Only once there is such a descriptor.
  virtual void QuietReleases() = 0;
  virtual void SignalReleases() = 0;
};

// For whom memory is made.
struct MemoryRequest {
  Side side = Side::kClient;
  uint64_t arena_bytes = 0;
  ArenaPages arena_pages = ArenaPages::kOnTouch;
  std::string client_app = {};
  absl::Duration arena_decay = absl::Seconds(10);
};

// How loans come back. Release counters: one per loan slot, each side's in its own outbox. Only the borrower raises
// them.
inline constexpr size_t kLoanSlots = 65536;
struct ReleaseCounters {
  absl::Span<std::atomic<uint32_t>> own;         // Raised here when this side gives a loan of the peer back.
  absl::Span<const std::atomic<uint32_t>> peer;  // Read here to learn which of this side's loans are back.
  std::shared_ptr<const void> mapping;           // Keeps both mapped.
  // Set to 1 once a side holds no loan and will never borrow again: all that the other lent is back. Null: it never
  // tells.
  std::atomic<uint32_t>* own_retired = nullptr;
  const std::atomic<uint32_t>* peer_retired = nullptr;
  // A new number each time that its side wants to be rung when the other gives something back; 0: it does not. Null: it
  // never does.
  std::atomic<uint32_t>* own_wants_bell = nullptr;
  const std::atomic<uint32_t>* peer_wants_bell = nullptr;
  // Wakes the peer; never waits.
  std::function<void()> ring_peer = nullptr;
  // The peer's: what it held is back once it has ended. Null: nobody can tell.
  std::shared_ptr<const PidFd> peer_process = nullptr;
};

// What this side's messages and objects take of its part; the figures of blocks are those of shm::ArenaStats.
struct MemoryUsage {
  uint64_t allocated_bytes = 0;
  uint64_t cached_bytes = 0;
  uint64_t dirty_bytes = 0;
  uint64_t fragmented_bytes = 0;
  uint64_t committed_bytes = 0;
  uint64_t limit_bytes = 0;
  uint64_t blocks = 0;   // That `allocated_bytes` lie in.
  uint64_t objects = 0;  // Native ones, that are not destroyed.
  uint64_t object_bytes = 0;
  uint64_t loans_out = 0;  // Of objects, as far as this side has looked.

  friend bool operator==(const MemoryUsage&, const MemoryUsage&) = default;
};

// One session's memory on one side. Called in this order: the client `Offer`s in its hello; the server `Adopt`s, then
// `Offer`s in its welcome; the client `Adopt`s; both `Open`. From then on `AdoptLater` may be called.
class SessionMemory {
 public:
  static constexpr size_t kMaxRegions = 4;
  static constexpr size_t kMaxPlaces = 8;
  // The number of the first region that is announced after the login; no kind offers more in it.
  static constexpr uint32_t kFirstLaterRegion = 2;

  virtual ~SessionMemory() = default;

  // The descriptors are open as long as the memory is.
  virtual absl::StatusOr<MemoryOffer> Offer() = 0;
  // Validates and maps what the peer offered. DATA_LOSS: it is not what this kind expects.
  virtual absl::Status Adopt(ReceivedMemory received) = 0;
  // `exchange` ends with the session.
  virtual std::shared_ptr<MessageStore> Open(ReleaseCounters counters, std::weak_ptr<RegionExchange> exchange) = 0;

  // Validates and maps the next region that the peer announced, which lies at `address` there; or, with an error, takes
  // note of why it is not to be had. DATA_LOSS: it is not what this kind expects. One thread at a time.
  virtual absl::Status AdoptLater(absl::StatusOr<ReceivedRegion> region, uint64_t address) = 0;

  // Once it is open; from any thread. nullopt: this kind cannot tell.
  virtual std::optional<MemoryUsage> Usage() const { return std::nullopt; }
};

class SessionMemoryFactory {
 public:
  virtual ~SessionMemoryFactory() = default;

  virtual MemoryKind kind() const = 0;
  virtual absl::StatusOr<std::shared_ptr<SessionMemory>> Create(const MemoryRequest& request) const = 0;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_MEMORY_H_
