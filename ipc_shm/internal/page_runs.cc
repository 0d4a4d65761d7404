#include "ipc_shm/internal/page_runs.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

PageRuns::PageRuns(RegionWindow window)
    : window_(std::move(window)),
      unit_bytes_(std::max(kUnitBytes, window_.region->page_bytes())),
      used_(window_.bytes / unit_bytes_),
      dirty_(window_.bytes / unit_bytes_) {}

absl::Span<std::byte> PageRuns::BytesOf(Units units) const {
  if (units.count == 0) return {};
  return absl::MakeSpan(window_.data() + units.first * unit_bytes_, units.count * unit_bytes_);
}

PageRuns::Units PageRuns::Take(size_t count, std::vector<Units>* dirty) {
  const MutexLock lock(mutex_);
  const std::optional<size_t> first = used_.FindClearRun(first_free_, count);
  if (!first.has_value()) return {};
  const size_t end = *first + count;
  size_t dirty_units = 0;
  for (size_t begin = dirty_.NextSet(*first); begin < end;) {
    const size_t stretch_end = std::min(dirty_.NextClear(begin), end);
    dirty->push_back({begin, stretch_end - begin});
    dirty_units += stretch_end - begin;
    begin = dirty_.NextSet(stretch_end);
  }
  // Nothing throws from here on.
  used_.Set(*first, count);
  if (*first == first_free_) first_free_ = end;
  dirty_.Clear(*first, count);
  dirty_units_ -= dirty_units;
  return {*first, count};
}

bool PageRuns::CommitOrRelease(Units units) {
  const absl::Span<std::byte> run = BytesOf(units);
  if (run.empty() || Commit(run)) return true;
  Punch(run);
  const MutexLock lock(mutex_);
  Release(units, /*is_dirty=*/true);
  return false;
}

bool PageRuns::Commit(absl::Span<std::byte> pages) const {
  return !window_.is_committed || window_.region->PreCommit(window_.OffsetOf(pages.data()), pages.size()).ok();
}

absl::Span<std::byte> PageRuns::Allocate(size_t bytes, bool* is_zero) {
  std::vector<Units> dirty;
  const Units units = Take(RoundUp(bytes) / unit_bytes_, &dirty);
  if (!CommitOrRelease(units)) return {};
  *is_zero = dirty.empty();
  return BytesOf(units);
}

absl::Span<std::byte> PageRuns::AllocateZeroed(size_t bytes) {
  std::vector<Units> dirty;
  const Units units = Take(RoundUp(bytes) / unit_bytes_, &dirty);
  if (!CommitOrRelease(units)) return {};
  for (const Units& stretch : dirty) {
    const absl::Span<std::byte> old = BytesOf(stretch);
    std::memset(old.data(), 0, old.size());
  }
  return BytesOf(units);
}

absl::Span<std::byte> PageRuns::Reserve(size_t bytes) {
  std::vector<Units> dirty;
  return BytesOf(Take(RoundUp(bytes) / unit_bytes_, &dirty));
}

void PageRuns::Free(absl::Span<std::byte> run) {
  const Units units = {static_cast<size_t>(run.data() - window_.data()) / unit_bytes_, run.size() / unit_bytes_};
  {
    const MutexLock lock(mutex_);
    if (dirty_units_ + units.count <= max_dirty_units_) return Release(units, /*is_dirty=*/true);
  }
  // Still used, so that nobody gets it meanwhile.
  const bool is_dirty = !Punch(run);
  const MutexLock lock(mutex_);
  Release(units, is_dirty);
}

bool PageRuns::TryFree(absl::Span<std::byte> run) {
  if ((run.data() - window_.data()) % unit_bytes_ != 0 || run.size() % unit_bytes_ != 0) return false;
  Free(run);
  return true;
}

void PageRuns::Release(Units units, bool is_dirty) {
  used_.Clear(units.first, units.count);
  first_free_ = std::min(first_free_, units.first);
  if (!is_dirty) return;
  dirty_.Set(units.first, units.count);
  dirty_units_ += units.count;
}

void PageRuns::KeepNone() {
  const MutexLock lock(mutex_);
  max_dirty_units_ = 0;
}

PageRuns::Units PageRuns::TakeDirty() {
  const MutexLock lock(mutex_);
  if (dirty_units_ == 0) return {};
  const size_t first = dirty_.NextSet(0);
  const Units units = {first, dirty_.NextClear(first) - first};
  used_.Set(units.first, units.count);
  dirty_.Clear(units.first, units.count);
  dirty_units_ -= units.count;
  return units;
}

void PageRuns::PunchFree() {
  while (true) {
    const Units units = TakeDirty();
    if (units.count == 0) return;
    const bool is_dirty = !Punch(BytesOf(units));
    const MutexLock lock(mutex_);
    Release(units, is_dirty);
    if (is_dirty) return;
  }
}

bool PageRuns::Punch(absl::Span<std::byte> pages) const {
  return window_.region->Punch(window_.OffsetOf(pages.data()), pages.size()).ok();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
