#include "ipc_transport/internal/model/sleep_model.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "ipc_transport/internal/model/weak_memory.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr size_t kSender = 0;
constexpr size_t kReceiver = 1;

// The words of shared memory.
constexpr size_t kMaxLines = 4;
constexpr size_t kCommit = 0;              // Of each line: 0, or the record's number.
constexpr size_t kPayload = kMaxLines;     // The same.
constexpr size_t kSleep = 2 * kMaxLines;   // LaneControl::receive_sleep.
constexpr size_t kPosition = kSleep + 1;   // LaneControl::read_position, in lines.
constexpr size_t kWish = kPosition + 1;    // LaneControl::room_wish.
constexpr size_t kFinish = kWish + 1;      // LaneControl::finish_position.
constexpr size_t kDoorbell = kFinish + 1;  // Of each side that sleeps: packets wait in its socket.
static_assert(kDoorbell + 2 <= WeakMemory::kWords);
constexpr uint8_t kNotFinished = 0xff;
constexpr uint8_t kSkip = 0xff;  // As a commit word.

// RoomWish.
constexpr uint8_t kWanted = 1;
constexpr uint8_t kAsleep = 3;
constexpr uint8_t kWishMask = 3;

// What a side does next.
enum class At : uint8_t {
  kStart,  // A Try call. Then, to wait:
  kPump,
  kTicket,
  kTell,  // BeginSleep, or Wish(kAsleep).
  kRecheck,
  kSleep,
  kAwake,
  kDone,
  // The sender: MakeRoom, WaitToSend, TrySend, Finish.
  kWant,
  kLookAgain,
  kWithdraw,
  kWantAgain,
  kLookOnceMore,
  kWrite,
  kLookAtSleep,
  kFinish,
  kRing,  // The receiver too.
  // The receiver: TryReceive, Release, PublishPosition, Empty, HasNews.
  kPayload,
  kRelease,
  kPublish,
  kLookAtWish,
  kLookAtFinish,
  kRecheckFinish,
};

struct Side {
  At at;
  At then;                // After publishing, or ringing the doorbell.
  uint8_t record;         // The next one, from 0.
  uint8_t position;       // Where it goes, or is.
  uint8_t read_position;  // The receiver's, as the sender read it last, or as the receiver published it last.
  uint8_t word;           // The wish or the sleep word, as this side stored it last.
  uint8_t rung_for;       // The other's.
  uint8_t interrupted;    // The link's generation has changed since the ticket was taken.
  friend bool operator==(const Side&, const Side&) = default;
};

struct State {
  WeakMemory memory;
  std::array<Side, 2> sides;

  friend bool operator==(const State&, const State&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const State& state) {
    return H::combine_contiguous(std::move(h), reinterpret_cast<const unsigned char*>(&state), sizeof(state));
  }
};
static_assert(std::has_unique_object_representations_v<State>);

// The steps of a wait, in their order. An event loop's wait is what a Try call does that finds nothing; the sleep is
// then the poll of the wait descriptor, which stays readable until a pump.
std::array<At, 5> WaitSteps(const Model& model, size_t side) {
  if (model.Is(side == kSender ? Weakening::kWishAfterRecheck : Weakening::kSleepStoreAfterRecheck)) {
    return {At::kPump, At::kTicket, At::kRecheck, At::kTell, At::kSleep};
  }
  if (model.Is(Weakening::kTicketAfterRecheck)) return {At::kPump, At::kTell, At::kRecheck, At::kTicket, At::kSleep};
  if (model.Is(Weakening::kPumpAfterRecheck)) return {At::kTell, At::kRecheck, At::kPump, At::kTicket, At::kSleep};
  if (model.Is(Weakening::kArmBeforePump)) return {At::kTell, At::kPump, At::kTicket, At::kRecheck, At::kSleep};
  if (!model.event_loop) return {At::kTicket, At::kTell, At::kRecheck, At::kSleep};
  return {At::kPump, At::kTicket, At::kTell, At::kRecheck, At::kSleep};
}

enum class Outcome { kOk, kNotNow, kBrokenRecord };

// Takes a side's next step, from one state to another.
class Step {
 public:
  Step(const Model& model, size_t side, State& state, Chooser& chooser)
      : model_(model), side_(side), state_(state), self_(state.sides[side]), memory_(state.memory), chooser_(chooser) {}

  // What follows and only stores is part of the step: nobody sees it before a flush, so it makes no difference in which
  // order it comes with the steps of others.
  Outcome Take() {
    const Outcome outcome = TakeOne();
    if (outcome != Outcome::kOk) return outcome;
    while (OnlyStores(self_.at)) {
      const State before = state_;
      if (TakeOne() == Outcome::kNotNow) {
        state_ = before;
        break;
      }
    }
    return Outcome::kOk;
  }

 private:
  Outcome TakeOne() { return side_ == kSender ? Send() : Receive(); }

  static bool OnlyStores(At at) {
    return at == At::kWant || at == At::kWithdraw || at == At::kWantAgain || at == At::kTell || at == At::kWrite ||
           at == At::kFinish || at == At::kPublish || at == At::kAwake;
  }

  Outcome Send() {
    switch (self_.at) {
      case At::kStart:
        return LookForRoom(At::kWant);
      case At::kWant:
        return Wish(kWanted, At::kLookAgain);
      case At::kLookAgain:
        return LookForRoom(model_.is_patient ? At::kWithdraw : AfterWaitStep(At::kStart));
      case At::kWithdraw:
        return Wish(0, At::kWantAgain);
      case At::kWantAgain:
        return Wish(kWanted, At::kLookOnceMore);
      case At::kLookOnceMore:
        return LookForRoom(AfterWaitStep(At::kStart));
      case At::kTell:
        return Wish(kAsleep, AfterWaitStep(At::kTell));
      case At::kRecheck:
        return LookForRoom(AfterWaitStep(At::kRecheck));
      case At::kWrite:
        return Write();
      case At::kLookAtSleep:
        return RingIfAsleep(kSleep, 1, Weaker(Weakening::kSleepLookNotSeqCst, Order::kRelaxed), AfterRecord());
      case At::kFinish:
        return Store(kFinish, self_.position, Weaker(Weakening::kFinishNotRelease, Order::kRelaxed, Order::kRelease),
                     model_.Is(Weakening::kFinishRingsNoDoorbell) ? At::kDone : At::kRing, At::kDone);
      default:
        return RingOrWait();
    }
  }

  Outcome Receive() {
    const Order finish_order = Weaker(Weakening::kFinishLookNotAcquire, Order::kRelaxed, Order::kAcquire);
    switch (self_.at) {
      case At::kStart: {
        LookForRecord(Weaker(Weakening::kCommitLoadNotAcquire, Order::kRelaxed, Order::kAcquire));
        if (loaded_ == kSkip) {
          self_.position += model_.ring_lines - Line(self_.position);
          return GoTo(At::kRelease);
        }
        if (loaded_ != 0) return loaded_ == self_.record + 1 ? GoTo(At::kPayload) : Outcome::kBrokenRecord;
        const bool tells = self_.read_position != self_.position && !model_.Is(Weakening::kNoPublishWhenEmpty);
        return GoTo(tells ? At::kPublish : At::kLookAtFinish, At::kLookAtFinish);
      }
      case At::kPayload:
        return ReadPayload();
      case At::kRelease:
        Load(kWish, Order::kRelaxed);
        return GoTo(model_.publish_each || (loaded_ & kWanted) != 0 ? At::kPublish : At::kStart, At::kStart);
      case At::kPublish:
        self_.read_position = self_.position;
        return Store(kPosition, self_.position,
                     Weaker(Weakening::kPositionNotRelease, Order::kRelaxed,
                            Weaker(Weakening::kPositionNotSeqCst, Order::kRelease)),
                     At::kLookAtWish, self_.then);
      case At::kLookAtWish:
        return RingIfAsleep(kWish, 2, Weaker(Weakening::kWishLookNotSeqCst, Order::kRelaxed), self_.then);
      case At::kLookAtFinish:
        Load(kFinish, finish_order);
        return GoTo(loaded_ == self_.position ? At::kDone : AfterWaitStep(At::kStart));
      case At::kTell:
        if (model_.Is(Weakening::kSleepsNotNumbered)) {
          self_.word = 1;
        } else {
          self_.word += 1 + (self_.word & 1);  // An event loop arms again without having been awake.
        }
        return Store(kSleep, self_.word, Weaker(Weakening::kSleepStoreNotSeqCst, Order::kRelease),
                     AfterWaitStep(At::kTell));
      case At::kRecheck:
        if (!LookForRecord(Weaker(Weakening::kRecheckNotSeqCst, Order::kAcquire))) return Outcome::kNotNow;
        return GoTo(loaded_ != 0 ? Woken() : At::kRecheckFinish);
      case At::kRecheckFinish:
        Load(kFinish, finish_order);
        return GoTo(loaded_ == self_.position ? Woken() : AfterWaitStep(At::kRecheck));
      case At::kAwake:
        self_.word = model_.Is(Weakening::kSleepsNotNumbered) ? 0 : self_.word + 1;
        return Store(kSleep, self_.word, Order::kRelaxed, At::kStart);
      default:
        return RingOrWait();
    }
  }

  Outcome RingOrWait() {
    switch (self_.at) {
      case At::kRing:
        if (!memory_.CanPublish(side_)) return Outcome::kNotNow;
        return memory_.Publish(side_, kDoorbell + 1 - side_, 1) ? GoTo(self_.then) : Outcome::kBrokenRecord;
      case At::kPump:
        return Pump(AfterWaitStep(At::kPump));
      case At::kTicket:
        // The newest generation: with an older one it would only not sleep.
        self_.interrupted = 0;
        if (!model_.Is(Weakening::kTicketNotAcquire)) memory_.Acquire(side_, kDoorbell + side_);
        return GoTo(AfterWaitStep(At::kTicket));
      case At::kSleep:
        if (memory_.Newest(kDoorbell + side_) == 0 && self_.interrupted == 0) return Outcome::kNotNow;
        return model_.event_loop ? GoTo(Woken()) : Pump(Woken());
      default:
        return Outcome::kNotNow;  // Done.
    }
  }

  Outcome Write() {
    if ((self_.word & kWishMask) != 0) Wish(0, At::kWrite);
    const uint8_t number = self_.record + 1;
    const uint8_t skipped = Skipped();
    const uint8_t start = self_.position + skipped;
    const uint8_t end = start + model_.records[self_.record];
    Store(kCommit + Line(end), 0, Order::kRelaxed, At::kWrite);
    if (skipped != 0) {
      Store(kCommit + Line(start), 0, Order::kRelaxed, At::kWrite);
      Store(kCommit + Line(self_.position), kSkip, Weaker(Weakening::kSkipNotRelease, Order::kRelaxed, Order::kRelease),
            At::kWrite);
    }
    Store(kPayload + Line(start), number, Order::kRelaxed, At::kWrite);
    self_.position = end;
    self_.record = number;
    return Store(
        kCommit + Line(start), number,
        Weaker(Weakening::kCommitNotRelease, Order::kRelaxed, Weaker(Weakening::kCommitNotSeqCst, Order::kRelease)),
        At::kLookAtSleep);
  }

  // The load may be made as early, and as late, as the orders let it; it must find the record in both cases.
  Outcome ReadPayload() {
    const size_t word = kPayload + Line(self_.position);
    const uint8_t number = self_.record + 1;
    Load(word, Order::kRelaxed);
    if (loaded_ != number) return Outcome::kBrokenRecord;
    can_store_ = memory_.LoadLate(side_, word, number);
    self_.position += model_.records[self_.record++];
    return GoTo(At::kRelease);
  }

  bool LookForRecord(Order order) { return Load(kCommit + Line(self_.position), order); }

  At AfterRecord() const {
    if (self_.record == model_.records.size()) return At::kFinish;
    return Fits() ? At::kWrite : At::kStart;
  }

  size_t Line(size_t position) const { return position % model_.ring_lines; }

  uint8_t Skipped() const {
    const size_t to_end = model_.ring_lines - Line(self_.position);
    return model_.records[self_.record] > to_end ? to_end : 0;
  }

  bool Fits() const {
    const int free = model_.ring_lines - (self_.position - self_.read_position);
    return free >= Skipped() + model_.records[self_.record] + 1;
  }

  Outcome LookForRoom(At otherwise) {
    if (!Load(kPosition, Weaker(Weakening::kPositionLoadNotSeqCst, Order::kAcquire))) return Outcome::kNotNow;
    self_.read_position = loaded_;
    return GoTo(Fits() ? At::kWrite : otherwise);
  }

  Outcome Wish(uint8_t wish, At next) {
    self_.word = model_.Is(Weakening::kWishesNotNumbered) ? wish : (self_.word | kWishMask) + 1 + wish;
    return Store(kWish, self_.word, wish == 0 ? Order::kRelaxed : Weaker(Weakening::kWishNotSeqCst, Order::kRelease),
                 next);
  }

  Outcome RingIfAsleep(size_t word, uint8_t bit, Order order, At next) {
    if (!Load(word, order)) return Outcome::kNotNow;
    if ((loaded_ & bit) == 0 || loaded_ == self_.rung_for) return GoTo(next);
    self_.rung_for = loaded_;
    return GoTo(At::kRing, next);
  }

  // Link::PumpLocked, under the link's mutex, which tells of what other threads read from the socket.
  Outcome Pump(At next) {
    if (memory_.Newest(kDoorbell + side_) != 0) {
      memory_.WriteOwn(kDoorbell + side_, 0);
      self_.interrupted = 1;
    }
    memory_.Acquire(side_, kDoorbell + side_);
    return GoTo(next);
  }

  At AfterWaitStep(At at) const {
    const std::array<At, 5> steps = WaitSteps(model_, side_);
    return at == At::kStart ? steps.front() : *std::next(std::find(steps.begin(), steps.end(), at));
  }
  At Woken() const { return model_.event_loop ? At::kStart : side_ == kSender ? At::kLookOnceMore : At::kAwake; }

  bool Load(size_t word, Order order) {
    const auto value = memory_.Load(side_, word, order, chooser_);
    loaded_ = value.value_or(0);
    return value.has_value();
  }
  Outcome Store(size_t word, uint8_t value, Order order, At next, At then = At::kStart) {
    can_store_ = memory_.Store(side_, word, value, order) && can_store_;
    return GoTo(next, then);
  }
  Outcome GoTo(At next, At then = At::kStart) {
    self_.at = next;
    self_.then = then;
    return can_store_ ? Outcome::kOk : Outcome::kNotNow;
  }
  Order Weaker(Weakening weakening, Order weak, Order strong = Order::kSeqCst) const {
    return model_.Is(weakening) ? weak : strong;
  }

  const Model& model_;
  const size_t side_;
  State& state_;
  Side& self_;
  WeakMemory& memory_;
  Chooser& chooser_;
  uint8_t loaded_ = 0;
  bool can_store_ = true;
};

// Visits every state once, depth first. There are no circles: in the end each step is for another record.
class Searcher {
 public:
  Searcher(const Model& model, Failures wanted) : model_(model), wanted_(wanted) {
    State start = {};
    start.memory.WriteOwn(kFinish, kNotFinished);
    Visit(start);
  }

  SearchResult result() const { return {.found = found_, .states = visited_.size()}; }

 private:
  void Visit(const State& state) {
    if (!visited_.insert(state).second) return;
    bool goes_on = false;
    for (const size_t side : {kSender, kReceiver}) {
      Chooser chooser;
      do {
        State next = state;
        const Outcome outcome = Step(model_, side, next, chooser).Take();
        if (outcome != Outcome::kNotNow) goes_on = Go(next, outcome);
      } while (chooser.NextChoice());
      for (size_t i = 0; i < state.memory.PendingCount(side); ++i) {
        if (!state.memory.CanFlush(side, i)) continue;
        State next = state;
        goes_on = Go(next, next.memory.Flush(side, i) ? Outcome::kOk : Outcome::kBrokenRecord);
      }
      // Another thread of this side reads what is in the socket.
      if (model_.others_pump && state.memory.Newest(kDoorbell + side) != 0) {
        State next = state;
        next.memory.WriteOwn(kDoorbell + side, 0);
        if (!model_.Is(Weakening::kPumpInterruptsNobody)) next.sides[side].interrupted = 1;
        goes_on = Go(next, Outcome::kOk);
      }
    }
    const bool done = state.sides[kSender].at == At::kDone && state.sides[kReceiver].at == At::kDone;
    if (!goes_on && !done) Note(kLostWakeup);
  }

  // True, for there is a step to take.
  bool Go(const State& next, Outcome outcome) {
    if (outcome == Outcome::kBrokenRecord) Note(kBrokenRecord);
    if (outcome == Outcome::kOk && found_ == kNone) Visit(next);
    return true;
  }

  void Note(Failures failure) {
    if (wanted_ == kNone || failure == wanted_) found_ = failure;
  }

  const Model model_;
  const Failures wanted_;
  absl::flat_hash_set<State> visited_;
  Failures found_;
};

}  // namespace

SearchResult Search(const Model& model, Failures wanted) { return Searcher(model, wanted).result(); }

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
