// The channels of a session: which there are, and how they come and go. Its regions come the same way.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_CHANNELS_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_CHANNELS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/channel_frames.h"
#include "ipc_session/internal/channel_pipes.h"
#include "ipc_session/internal/lane_space.h"
#include "ipc_session/internal/outbox.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_report.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/link.h"
#include "ipc_transport/internal/link_events.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/fork_guard.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Any thread. A channel that was handed out shares the link and the outboxes; it may outlive this.
//
// Each side numbers the channels that it opens: the client's numbers are even, the server's odd, so that openings that
// cross are no conflict. An own lane is used again once both sides have retired its channel. What comes from the peer
// is acted upon by whichever call looks next; `mutex_` is held from the look at the link until it is, so that nobody
// who waits for it misses it.
class SessionChannels : public RegionExchange, public std::enable_shared_from_this<SessionChannels> {
 public:
  // How many channels may be opened by this side, and how many offered by the other, without an answer yet.
  static constexpr size_t kMaxUnanswered = 64;

  struct Parts {
    Side side = Side::kClient;
    std::shared_ptr<Link> link;
    std::shared_ptr<const Outboxes> outboxes;  // The own one has the lanes of `channels` initialised.
    uint32_t channels = 0;                     // That the session starts with.
    uint32_t max_channels = 0;
    std::shared_ptr<SessionMemory> memory = nullptr;  // Takes the peer's regions; null: there are none.
  };
  static std::shared_ptr<SessionChannels> Create(Parts parts);

  // Channel `index` of those that the session started with, once; else an invalid one.
  Channel TakeFirst(int index);

  // Opening. `options` are valid. Never waits. RESOURCE_EXHAUSTED: a limit; the text names it.
  absl::StatusOr<uint32_t> StartOpening(const ChannelOptions& options);
  // The channel, once the peer has answered; the opening is over then. DEADLINE_EXCEEDED: it has not, and goes on.
  absl::StatusOr<Channel> FinishOpening(uint32_t id, Deadline deadline);
  // Without effect once it is over.
  void Withdraw(uint32_t id);

  // Offers of the peer. `NextOffer` hands out each once; it is then accepted or refused, once. DEADLINE_EXCEEDED: none.
  struct Offer {
    uint32_t id = 0;
    PipeKind pipe = PipeKind::kRing;
    std::string metadata = {};
  };
  absl::StatusOr<Offer> NextOffer(Deadline deadline);
  // Of those that were acted upon already; nullopt: none.
  std::optional<Offer> TryNextOffer();
  // UNAVAILABLE: the peer has withdrawn it. On any error the peer is told that it is refused.
  absl::StatusOr<Channel> Accept(uint32_t id, const PipeSizes& sizes, Deadline deadline);
  void Refuse(uint32_t id, absl::string_view why);

  absl::StatusOr<uint32_t> Announce(const OfferedRegion& region, uint64_t address) override;
  bool IsAnnounced(uint32_t number) override;
  void TakeIn() override { Process().IgnoreError(); }
  absl::StatusOr<FdView> ReleasesFd() override;
  void QuietReleases() override;
  void SignalReleases() override;

  // Acts upon what came. Never waits. Errors: why the session has ended.
  absl::Status Process();

  // What the channels that are in use here have counted. Delays no traffic.
  std::vector<ChannelReport> Report();

  // The session has ended on this side: so do all channels that do not end with the link.
  void CloseAll();

 private:
  // Keeps an own lane until neither side looks at it.
  struct Live {
    PipeKind kind = PipeKind::kRing;
    std::optional<LanePlace> lane = {};  // Of a ring channel.
    std::weak_ptr<Pipe> pipe = {};
    bool retired_here = false;
    std::shared_ptr<PeerEnd> peer_end = std::make_shared<PeerEnd>();  // Ended once it is retired there.
  };

  struct Opening {
    PipeKind kind = PipeKind::kRing;
    std::optional<LanePlace> lane = {};      // Of a ring channel.
    std::optional<PipeOpening> pipe = {};    // Of another.
    bool withdrawn = false;                  // Nobody waits for the answer.
    std::optional<AcceptFrame> accept = {};  // One of these is the answer, once it came.
    std::optional<Refusal> refusal = {};
    std::shared_ptr<PeerEnd> peer_end = std::make_shared<PeerEnd>();  // Ended, after it was accepted, if retired there.
  };

  struct Offered {
    OpenFrame frame;
    Fd descriptor;
  };

  // What found no room on the socket.
  struct Unsent {
    std::string bytes;
    Fd descriptor;
    uint32_t region = 0;  // That it announces; 0: none.
  };

  explicit SessionChannels(Parts parts);
  void MakeFirst();

  // Acts upon what came, and sends what found no room.
  absl::Status ProcessLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Handle(Link::Control control) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFrame(OpenFrame frame, std::vector<Fd> descriptors) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFrame(const AcceptFrame& frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFrame(RefuseFrame frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFrame(const WithdrawFrame& frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFrame(const RetireFrame& frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `lost`: why its descriptor did not arrive.
  absl::Status HandleFrame(const RegionFrame& frame, std::vector<Fd> descriptors, const absl::Status& lost)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits until `ready()`, acting upon what comes; sleeps only when `patience` is over.
  template <typename Ready>
  absl::Status WaitUntil(Ready ready, Deadline deadline, absl::Duration patience = absl::ZeroDuration())
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends it now, or as soon as there is room.
  void Send(const ChannelFrame& frame, Fd descriptor = Fd()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Offer> PopOffer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t Count() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoomToOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<LanePlace> TakeLane(uint64_t ring_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::unique_ptr<Pipe> RingOf(uint32_t id, const LanePlace& own, const LanePlace& peer) const;
  // Its channel, which retires it when it is destroyed.
  Channel HandOut(uint32_t id, PipeKind kind, std::unique_ptr<Pipe> pipe) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RetireHere(uint32_t id, uint64_t received) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetIfRetired(uint32_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An opening that was withdrawn has its answer.
  void EndWithdrawn(uint32_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Channel> AcceptRing(const OpenFrame& frame, const PipeSizes& sizes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits for the peer; of a pipe that is no ring.
  absl::StatusOr<std::unique_ptr<Pipe>> AcceptPipe(Offered offered, const PipeSizes& sizes, Deadline deadline);
  absl::StatusOr<std::unique_ptr<Pipe>> FinishPipe(PipeOpening opening, Deadline deadline);

  const ForkGuard fork_guard_;  // In a forked child nothing is sent or locked.
  const Side side_;
  const std::shared_ptr<Link> link_;
  const std::shared_ptr<const Outboxes> outboxes_;
  const uint32_t max_channels_;
  const std::shared_ptr<SessionMemory> memory_;  // Null: on the heap.
  const uint32_t first_count_;
  const uint32_t first_peer_id_;

  Mutex mutex_;
  LaneSpace lanes_ ABSL_GUARDED_BY(mutex_);
  std::vector<Channel> first_ ABSL_GUARDED_BY(mutex_);
  uint32_t next_own_id_ ABSL_GUARDED_BY(mutex_);
  uint32_t next_peer_id_ ABSL_GUARDED_BY(mutex_);  // The least that the peer may use.
  std::map<uint32_t, Live> live_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, Opening> openings_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, Offered> offers_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint32_t> new_offers_ ABSL_GUARDED_BY(mutex_);  // Not handed out; some may be withdrawn.
  std::deque<Unsent> unsent_ ABSL_GUARDED_BY(mutex_);
  uint32_t own_regions_ ABSL_GUARDED_BY(mutex_) = 0;  // Announced after the login.
  uint32_t peer_regions_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<LinkEvents> release_events_ ABSL_GUARDED_BY(mutex_);  // Made by the first call that needs it.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_CHANNELS_H_
