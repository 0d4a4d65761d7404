// Shared memory as a processor of the aarch64 kind shows it to its threads, small enough to try every behaviour.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MODEL_WEAK_MEMORY_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MODEL_WEAK_MEMORY_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Whatever may go one way or another is asked of it, at most once a step. `NextChoice` until it returns false, with the
// step taken anew each time, goes through all answers.
class Chooser {
 public:
  // 0 to `options` - 1.
  size_t Choose(size_t options) {
    options_ = options;
    return taken_;
  }

  bool NextChoice() { return ++taken_ < options_; }

 private:
  size_t taken_ = 0;
  size_t options_ = 1;
};

enum class Order : uint8_t { kRelaxed, kAcquire, kRelease, kSeqCst };

// Two threads; a word has one writer and one reader. What the processor may do with the program's order:
//
// - A store waits in its thread's `pending` list, and gets to memory in a step of its own, `Flush`, in any order, but
//   for a release or sequentially consistent one, before which all earlier ones go. So may a load whose value is not
//   needed at once (`LoadLate`).
// - A load may have been made early, before what stands above it in the program: it may return what the word held
//   before the other thread's last stores. `past` lists these values, oldest first. A load that acquires, and any fence
//   in a system call, forgets what was overwritten before the loaded value came to be.
// - A sequentially consistent load waits until all such stores of its thread are in memory, and is not made before.
//
// A store is never made before the branches above it are decided, so no load needs an order against later stores,
// unless it is late. All members are bytes without padding: states are compared and hashed as bytes.
class WeakMemory {
 public:
  static constexpr size_t kWords = 20;
  static constexpr size_t kThreads = 2;

  // In memory, as if all had been flushed.
  uint8_t Newest(size_t word) const { return newest_[word]; }

  // False: too many are pending, flush first.
  bool Store(size_t thread, size_t word, uint8_t value, Order order) {
    return Add(thread, {static_cast<uint8_t>(word), value, static_cast<uint8_t>(order)});
  }
  // A load that may be made now or later. It must find `value`, or `Flush` fails.
  bool LoadLate(size_t thread, size_t word, uint8_t value) {
    return Add(thread, {static_cast<uint8_t>(word), value, kLateLoad});
  }

  // Nullopt: not before a flush.
  std::optional<uint8_t> Load(size_t thread, size_t word, Order order, Chooser& chooser) {
    Thread& self = threads_[thread];
    if (order == Order::kSeqCst && HasPendingSeqCst(self)) return std::nullopt;
    // Everything before `first` was overwritten before the load could be made.
    const size_t first = order == Order::kSeqCst ? EndOfLast(self, kSeqCstMark, self.past_count) : 0;
    std::array<size_t, kMaxPast + 1> candidates;
    size_t count = 0;
    for (size_t i = first; i < self.past_count; ++i) {
      if (self.past[i].word == word && self.past[i].readable) candidates[count++] = i;
    }
    candidates[count++] = self.past_count;
    const size_t taken = candidates[chooser.Choose(count)];
    const uint8_t value = taken == self.past_count ? newest_[word] : self.past[taken].value;
    // Later loads of the word see nothing older.
    for (size_t i = 0; i < taken; ++i) {
      if (self.past[i].word == word) self.past[i].readable = 0;
    }
    if (order != Order::kRelaxed) Forget(self, std::max(first, EndOfLast(self, word, taken)));
    Forget(self, 0);
    return value;
  }

  // A system call that takes a lock of the kernel: acquires what `Publish` of the word released.
  void Acquire(size_t thread, size_t word) {
    Thread& self = threads_[thread];
    Forget(self, EndOfLast(self, word, self.past_count));
  }
  // A system call that releases it: not before all is flushed. The word changes at once.
  bool CanPublish(size_t thread) const { return FirstStore(threads_[thread]) == threads_[thread].pending_count; }
  bool Publish(size_t thread, size_t word, uint8_t value) {
    if (!PerformLateLoads(threads_[thread])) return false;
    AddPast(threads_[1 - thread], {static_cast<uint8_t>(word), 0, 0});
    newest_[word] = value;
    return true;
  }

  // At once: on behalf of a third thread to `reader`, or by the reader itself.
  void WriteFor(size_t reader, size_t word, uint8_t value) {
    if (newest_[word] == value) return;
    AddPast(threads_[reader], {static_cast<uint8_t>(word), newest_[word], 1});
    newest_[word] = value;
  }
  void WriteOwn(size_t word, uint8_t value) { newest_[word] = value; }

  size_t PendingCount(size_t thread) const { return threads_[thread].pending_count; }

  bool CanFlush(size_t thread, size_t index) const {
    const Thread& self = threads_[thread];
    const Pending& it = self.pending[index];
    if (it.kind == kLateLoad) return false;
    if (IsRelease(it)) return index == FirstStore(self);
    for (size_t i = 0; i < index; ++i) {
      if (self.pending[i].word == it.word) return false;
    }
    return true;
  }

  // False: a late load found another value than it had to.
  bool Flush(size_t thread, size_t index) {
    Thread& self = threads_[thread];
    const Pending it = self.pending[index];
    RemovePending(self, index);
    if (IsRelease(it) && !PerformLateLoads(self)) return false;
    WriteFor(1 - thread, it.word, it.value);
    if (it.kind == static_cast<uint8_t>(Order::kSeqCst)) AddPast(self, {kSeqCstMark, 0, 0});
    return true;
  }

  friend bool operator==(const WeakMemory&, const WeakMemory&) = default;

 private:
  static constexpr size_t kMaxPending = 8;
  static constexpr size_t kMaxPast = 18;
  static constexpr uint8_t kLateLoad = 0xff;    // As `Pending::kind`, beside the orders of stores.
  static constexpr uint8_t kSeqCstMark = 0xff;  // As `Past::word`: the thread's own store came to memory here.

  struct Pending {
    uint8_t word, value, kind;
    friend bool operator==(const Pending&, const Pending&) = default;
  };
  struct Past {
    uint8_t word, value, readable;
    friend bool operator==(const Past&, const Past&) = default;
  };
  struct Thread {
    uint8_t pending_count, past_count;
    std::array<Pending, kMaxPending> pending;
    std::array<Past, kMaxPast> past;
    friend bool operator==(const Thread&, const Thread&) = default;
  };

  bool Add(size_t thread, Pending pending) {
    Thread& self = threads_[thread];
    if (self.pending_count == kMaxPending) return false;
    self.pending[self.pending_count++] = pending;
    return true;
  }

  static void RemovePending(Thread& self, size_t index) {
    for (size_t i = index + 1; i < self.pending_count; ++i) self.pending[i - 1] = self.pending[i];
    self.pending[--self.pending_count] = {};
  }

  static bool IsRelease(const Pending& it) {
    return it.kind == static_cast<uint8_t>(Order::kRelease) || it.kind == static_cast<uint8_t>(Order::kSeqCst);
  }

  static size_t FirstStore(const Thread& self) {
    size_t i = 0;
    while (i < self.pending_count && self.pending[i].kind == kLateLoad) ++i;
    return i;
  }

  bool PerformLateLoads(Thread& self) {
    while (self.pending_count != 0 && self.pending[0].kind == kLateLoad) {
      if (newest_[self.pending[0].word] != self.pending[0].value) return false;
      RemovePending(self, 0);
    }
    return true;
  }

  static bool HasPendingSeqCst(const Thread& self) {
    for (size_t i = 0; i < self.pending_count; ++i) {
      if (self.pending[i].kind == static_cast<uint8_t>(Order::kSeqCst)) return true;
    }
    return false;
  }

  // One past the last entry of `word` before `end`: there the value that is valid at `end` came to be.
  static size_t EndOfLast(const Thread& self, size_t word, size_t end) {
    while (end > 0 && self.past[end - 1].word != word) --end;
    return end;
  }

  static void AddPast(Thread& self, Past past) {
    if (self.past_count == kMaxPast) std::abort();  // The model needs a longer list.
    self.past[self.past_count++] = past;
    Forget(self, 0);
  }

  // Forgets the oldest `count`, and those after them that nothing can be read from.
  static void Forget(Thread& self, size_t count) {
    while (count < self.past_count && !self.past[count].readable) ++count;
    for (size_t i = count; i < self.past_count; ++i) self.past[i - count] = self.past[i];
    for (size_t i = self.past_count - count; i < self.past_count; ++i) self.past[i] = {};
    self.past_count = static_cast<uint8_t>(self.past_count - count);
  }

  std::array<uint8_t, kWords> newest_ = {};
  std::array<Thread, kThreads> threads_ = {};
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MODEL_WEAK_MEMORY_H_
