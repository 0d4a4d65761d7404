#include "ipc_transport/structured/internal/channel_core.h"

#include <algorithm>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// What a closing channel gives back at most, so that a peer that goes on sending does not hold it up. What a ring holds
// takes some milliseconds; the time is for busy machines and slow builds.
constexpr int kMaxDrainedRecords = 65536;
constexpr absl::Duration kDrainTime = absl::Seconds(1);
// Whatever the options say: no message that lies in the store takes as much.
constexpr uint64_t kLeastHeapMessageBytes = uint64_t{64} << 10;

IncomingOptions IncomingOptionsOf(const StructuredChannelOptions& options, uint64_t max_heap_bytes) {
  const bool is_untrusted = options.trust == Trust::kUntrusted;
  return {.limits = options.reader_limits,
          .copy_borrowed = is_untrusted,
          .free_traversal_bytes = is_untrusted ? std::optional<uint64_t>(kFreeTraversalBytes) : std::nullopt,
          .max_copied_bytes = max_heap_bytes};
}

}  // namespace

absl::Status ChannelCore::TooLate(absl::string_view what) {
  return absl::DeadlineExceededError(absl::StrCat("another thread has been ", what, " until the deadline"));
}

std::shared_ptr<ChannelCore> ChannelCore::Create(Channel channel, std::shared_ptr<MessageStore> store,
                                                 const SchemaIdentity& schema, const StructuredChannelOptions& options,
                                                 TypeOfMessage type_of) {
  auto core =
      std::make_shared<ChannelCore>(std::move(channel).ReleasePipe(), std::move(store), schema, options, type_of);
  if (!core->EndStatus().ok() || !core->send_turn_.TryTake()) return core;
  const PassTurn pass(core->send_turn_);
  // What keeps it from being sent now will be reported by the first call, which tries again.
  core->writer_.OfferSchema(Deadline::Passed()).IgnoreError();
  return core;
}

ChannelCore::ChannelCore(std::shared_ptr<Pipe> pipe, std::shared_ptr<MessageStore> store, const SchemaIdentity& schema,
                         const StructuredChannelOptions& options, TypeOfMessage type_of)
    : pipe_(std::move(pipe)),
      store_(std::move(store)),
      type_of_(type_of),
      max_heap_bytes_(std::max(options.max_heap_message_bytes, kLeastHeapMessageBytes)),
      max_waiting_messages_(std::max<uint64_t>(options.max_waiting_messages, kFirstCredit)),
      measures_round_trips_(options.measure_round_trips),
      writer_(pipe_.get(), schema, max_waiting_messages_, [this] { PumpAll(); }),
      reader_(pipe_.get(), store_, schema, IncomingOptionsOf(options, max_heap_bytes_), next_id_),
      inbox_(max_waiting_messages_) {
  if (pipe_ == nullptr) {
    Break(absl::FailedPreconditionError("the channel was upgraded from one without a pipe: moved from, taken before, "
                                        "or never opened"))
        .IgnoreError();
  } else if (pipe_->max_message_bytes() < kMinPipeMessageBytes) {
    Break(absl::FailedPreconditionError(absl::StrCat("the pipe's messages have at most ", pipe_->max_message_bytes(),
                                                     " bytes; a structured channel needs ", kMinPipeMessageBytes)))
        .IgnoreError();
  }
}

absl::Status ChannelCore::Break(const absl::Status& status) {
  const MutexLock lock(end_mutex_);
  if (!end_status_.ok()) return end_status_;
  end_status_ = status;
  ended_.store(true, std::memory_order_release);  // Pairs with `EndStatus`.
  return status;
}

absl::Status ChannelCore::EndStatus() {
  if (ABSL_PREDICT_TRUE(!ended_.load(std::memory_order_acquire))) return absl::OkStatus();  // Pairs with `Break`.
  const MutexLock lock(end_mutex_);
  return end_status_;
}

void ChannelCore::set_wait_mode(WaitMode mode) {
  if (pipe_ != nullptr) pipe_->set_wait_mode(mode);
}

StructuredCounters ChannelCore::counters() {
  const MutexLock lock(mutex_);
  StructuredCounters counters = counters_;
  counters.sent = sent_.Read();
  counters.received = received_.Read();
  counters.requests_outstanding = pending_.size();
  return counters;
}

void ChannelCore::Close() {
  Break(absl::CancelledError("the channel was closed on this side")).IgnoreError();
  if (pipe_ == nullptr) return;
  // What users gave and what came goes last, without the lock: it may call the channel.
  Handlers handlers;
  EndHandler on_end;
  std::map<PendingRequest*, AsyncRequest> async;
  std::deque<AsyncRequest> ready;
  bool reads = false;
  {
    const MutexLock lock(mutex_);
    reads = !is_read_;
    if (reads) is_read_ = true;
    inbox_.Clear();
    std::swap(handlers, handlers_);
    std::swap(on_end, on_end_);
    for (const auto& [request, shared] : async_) pending_.Remove(*request);
    std::swap(async, async_);
    std::swap(ready, ready_);
    expiries_.clear();
  }
  if (reads) Drain();
  pipe_->Close();
  const MutexLock lock(mutex_);
  if (reads) is_read_ = false;
  WakeAll();
}

void ChannelCore::Drain() {
  // Loans come back with the messages that carry them; there is nothing else to give back.
  if (store_ == nullptr) return;
  const Deadline deadline(kDrainTime);
  for (int records = 0; records < kMaxDrainedRecords && !deadline.HasPassed(); ++records) {
    const absl::StatusOr<std::optional<Arrival>> arrival = reader_.TryRead();
    if (!arrival.ok() || !arrival->has_value()) return;
  }
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
