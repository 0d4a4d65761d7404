// A structured channel without its type.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_CORE_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/driven.h"
#include "ipc_transport/internal/loop_event.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/counters.h"
#include "ipc_transport/structured/internal/handlers.h"
#include "ipc_transport/structured/internal/inbox.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/message_reader.h"
#include "ipc_transport/structured/internal/message_stats.h"
#include "ipc_transport/structured/internal/message_writer.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/pending_requests.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/internal/schema_identity.h"
#include "ipc_transport/structured/internal/turn.h"
#include "ipc_transport/structured/store.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/mutex.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// What sort of message it is: its root's union member; nullopt: it has none.
using TypeOfMessage = std::optional<uint16_t> (*)(const IncomingMessage& message);
inline std::optional<uint16_t> NoType(const IncomingMessage&) { return std::nullopt; }

using EndHandler = absl::AnyInvocable<void(const absl::Status&)>;

// Errors and threads as in StructuredChannel. Shared by the channel and the requests that still want their answer.
//
// Many threads may wait in it at once, each for something of its own. One of them at a time reads the pipe, files what
// comes and wakes whom it is for; before it returns it wakes another to read on. Handlers run in `TryDispatch` alone.
class ChannelCore final : public Driven, public std::enable_shared_from_this<ChannelCore> {
 public:
  // Offers `schema`, which must outlive it, to the peer, if there is room for it now.
  static std::shared_ptr<ChannelCore> Create(Channel channel, std::shared_ptr<MessageStore> store,
                                             const SchemaIdentity& schema, const StructuredChannelOptions& options,
                                             TypeOfMessage type_of = NoType);

  // Use `Create`.
  ChannelCore(std::shared_ptr<Pipe> pipe, std::shared_ptr<MessageStore> store, const SchemaIdentity& schema,
              const StructuredChannelOptions& options, TypeOfMessage type_of);
  ~ChannelCore() override { Close(); }

  const std::shared_ptr<MessageStore>& store() const { return store_; }

  // What the calls that send say of the message: what it answers, if anything, and its type.
  struct Sending {
    IncomingMessage* answered = nullptr;
    bool more_follow = false;
    std::optional<uint16_t> type = {};
  };

  // Of the calls that send, INVALID_ARGUMENT: the message is null.
  absl::Status Send(OutgoingMessage* message, const Sending& sending, Deadline deadline);
  absl::StatusOr<IncomingMessage::Ptr> Request(OutgoingMessage* message, const Sending& sending, Deadline deadline);
  absl::Status RequestAsync(OutgoingMessage* message, const Sending& sending, bool wants_many, AnswerCallback on_answer,
                            Deadline deadline);
  // Sends a request for many answers; `request` is for `NextAnswer` and `Forget`, and stays where it is until then.
  absl::Status RequestMany(OutgoingMessage* message, const Sending& sending, PendingRequest& request,
                           Deadline deadline);
  // Null: all have come.
  absl::StatusOr<IncomingMessage::Ptr> NextAnswer(PendingRequest& request, Deadline deadline);
  void Forget(PendingRequest& request);
  absl::StatusOr<IncomingMessage::Ptr> Receive(Deadline deadline);

  // Tells the peer that its request will not be answered, if it is one and was not. Never waits.
  static void GiveUp(IncomingMessage& request) {
    if (request.is_request() && request.reply_channel() != nullptr) request.reply_channel()->TellNoAnswer(request.id());
  }

  // An answer to `sending.answered`, which has a channel to answer through, once if no more follow.
  static absl::Status Reply(OutgoingMessage* answer, const Sending& sending, Deadline deadline);
  // The same, as a request in its turn.
  static absl::StatusOr<IncomingMessage::Ptr> ReplyAndRequest(OutgoingMessage* answer, const Sending& sending,
                                                              Deadline deadline);

  void On(uint16_t type, MessageHandler handler);
  void Once(uint16_t type, MessageHandler handler);
  void OnOther(MessageHandler handler);
  void OnEnd(EndHandler handler);
  absl::Status Dispatch(Deadline deadline);
  absl::StatusOr<bool> TryDispatch();
  absl::StatusOr<FdView> EventFd();

  // As `Driven`; null: the channel was invalid.
  void DriveBy(absl::AnyInvocable<void()> wake) override;
  absl::StatusOr<bool> DispatchOne(bool before_sleep) override;
  Deadline NextTimer() override;
  std::shared_ptr<Pipe> pipe() override { return pipe_; }

  void set_wait_mode(WaitMode mode);
  StructuredCounters counters();
  void Close();

 private:
  // Records that are no message do not keep a call from its deadline, or an event loop from its other business.
  static constexpr uint32_t kRecordsPerClock = 64;
  // How soon a record that found no room is tried again while this side waits for something else.
  static constexpr absl::Duration kControlTick = absl::Milliseconds(10);

  using Event = absl::AnyInvocable<void()>;
  using AsyncRequest = std::shared_ptr<PendingRequest>;

  // What a thread waits for.
  enum class Want { kAnswer, kMessage, kEvent, kCredit };
  struct Sleeper {
    Want want;
    const PendingRequest* request = nullptr;  // kAnswer.
    CondVar wake = {};
  };

  static absl::Status TooLate(absl::string_view what);

  // The channel is of no more use.
  absl::Status Break(const absl::Status& status);
  absl::Status EndStatus();

  absl::StatusOr<uint64_t> SendMessage(OutgoingMessage* message, const Sending& sending, PendingRequest* request,
                                       Deadline deadline);
  absl::StatusOr<uint64_t> WriteMessage(const OutgoingMessage& message, const Sending& sending, PendingRequest* request,
                                        Deadline deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);
  // Files what has come, while a send waits for room.
  void PumpAll();
  bool HasCredit() const;
  absl::Status WaitForCredit(Deadline deadline);
  // Credit and notices that are due, if there is room for them now.
  void FlushControls();
  // What has to go before any message and is not sent yet: this side's type, and its nodes if the peer needs them.
  absl::Status Introduce(Deadline deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);
  void TellNoAnswer(uint64_t request);
  void AddNotice(RecordKind kind, uint64_t request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: no room.
  absl::StatusOr<bool> TryFlushControls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_turn_);

  // Waits until `me` has what it wants; reads meanwhile, or sleeps while another thread does.
  absl::Status PumpUntil(Sleeper& me, Deadline deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Files what is there if nobody reads; waits for nothing. False: nothing was there.
  absl::StatusOr<bool> TryPump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDone(const Sleeper& sleeper) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasEvent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whoever sleeps reads on, if nobody does.
  void PassReading() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes what was read; false: it was nothing. Errors end the channel, or its receiving half.
  absl::StatusOr<bool> Take(absl::StatusOr<std::optional<Arrival>> arrival) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status File(Arrival arrival) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FileMessage(IncomingMessage::Ptr message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoomToWait() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountRoundTrip(PendingRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // `DispatchOne`, in a loop of its own or a session's.
  absl::StatusOr<bool> RunOne(bool arms_pipe);
  // Whether something came before the session's descriptor could tell of it.
  bool CameBeforeArmed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes whoever waits on the descriptor, this channel's or the session's.
  void SignalLoop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Deadline NextTimerLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What to run next; null: nothing.
  Event NextEvent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Event EventOf(const AsyncRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireRequests() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndRequests() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeReady(PendingRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SignalEvent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Deadline NextExpiry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  IncomingMessage::Ptr HandOut(IncomingMessage::Ptr message);
  void Drain();

  const std::shared_ptr<Pipe> pipe_;  // Null: the channel was invalid.
  const std::shared_ptr<MessageStore> store_;
  const TypeOfMessage type_of_;
  const uint64_t max_heap_bytes_;
  const uint64_t max_waiting_messages_;
  const bool measures_round_trips_;

  // Set once `end_status_` is; release there, acquire in `EndStatus`.
  std::atomic<bool> ended_{false};
  Mutex end_mutex_;
  absl::Status end_status_ ABSL_GUARDED_BY(end_mutex_);

  Turn send_turn_;
  MessageWriter writer_ ABSL_GUARDED_BY(send_turn_);
  uint64_t unsent_credit_ ABSL_GUARDED_BY(send_turn_) = 0;
  MessageStats sent_;  // Written under `send_turn_`.
  // Written under `send_turn_`, read by the reading thread.
  std::atomic<uint64_t> next_id_{1};
  // Messages that were no answers. Written under `send_turn_`; relaxed, as `HasCredit` is asked again under it.
  std::atomic<uint64_t> sent_unsolicited_{0};
  // What the peer allows of them. Written under `mutex_`; relaxed: it alone matters.
  std::atomic<uint64_t> peer_credit_{kFirstCredit};
  // Credit or notices are due. A Dekker pair with the send turn: sequentially consistent, as that is.
  std::atomic<bool> controls_due_{false};
  // The nodes of our schema, which the peer needs. Set under `mutex_`, before `controls_due_`, cleared under
  // `send_turn_`; relaxed: who does not see it yet sends what the peer keeps until it has them.
  std::atomic<bool> owes_nodes_{false};

  // Of the thread that has set `is_read_`.
  MessageReader reader_;
  // Set by that thread once the peer's schema agrees. Release there, acquire by senders, who look no further.
  std::atomic<bool> peer_checked_{false};

  Mutex mutex_;
  bool is_read_ ABSL_GUARDED_BY(mutex_) = false;  // A thread reads the pipe.
  // The peer's layout differs from ours, and may not fit: nothing is handed out.
  bool is_judging_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Sleeper*> sleepers_ ABSL_GUARDED_BY(mutex_);
  absl::Status receive_end_ ABSL_GUARDED_BY(mutex_);  // Why nothing more comes.
  Inbox inbox_ ABSL_GUARDED_BY(mutex_);
  PendingRequests pending_ ABSL_GUARDED_BY(mutex_);
  // What to tell the peer: of its answers that nobody wanted, of its requests that will have none.
  std::deque<std::pair<RecordKind, uint64_t>> notices_ ABSL_GUARDED_BY(mutex_);
  MessageStats received_;                                // Written under `mutex_`.
  StructuredCounters counters_ ABSL_GUARDED_BY(mutex_);  // All but `sent` and `received`.

  // For `Dispatch`.
  std::atomic<bool> is_dispatching_{false};  // Acquire and release: one dispatcher after the other.
  Handlers handlers_ ABSL_GUARDED_BY(mutex_);
  EndHandler on_end_ ABSL_GUARDED_BY(mutex_);
  std::map<PendingRequest*, AsyncRequest> async_ ABSL_GUARDED_BY(mutex_);
  Expiries expiries_ ABSL_GUARDED_BY(mutex_);
  std::deque<AsyncRequest> ready_ ABSL_GUARDED_BY(mutex_);           // They have something to tell.
  std::unique_ptr<LoopEvent> event_ ABSL_GUARDED_BY(mutex_);         // In an event loop only.
  absl::AnyInvocable<void()> wake_session_ ABSL_GUARDED_BY(mutex_);  // Where a session drives it.
  // What is read now is for the dispatcher, which need not be told.
  bool dispatcher_reads_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_CHANNEL_CORE_H_
