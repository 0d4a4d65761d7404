#include "ipc_session/internal/login_places.h"

#include <algorithm>
#include <iterator>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

bool LoginPlaces::TryTake(uid_t uid) {
  if (taken_ >= total_ || CountOf(uid) >= per_uid_) return false;
  ++taken_;
  ++taken_by_[uid];
  return true;
}

void LoginPlaces::GiveBack(uid_t uid) {
  --taken_;
  const auto entry = taken_by_.find(uid);
  if (--entry->second == 0) taken_by_.erase(entry);
  for (auto rush = waited_.begin(); rush != waited_.end();) {
    rush = IsOver(rush->first) ? waited_.erase(rush) : std::next(rush);
  }
}

absl::Duration LoginPlaces::PatienceLeft(uid_t uid) const {
  const auto waited = waited_.find(RushOf(uid));
  if (waited == waited_.end()) return kPatience;
  return std::max(kPatience - waited->second, absl::ZeroDuration());
}

void LoginPlaces::HasWaited(uid_t uid, absl::Duration time) { waited_[RushOf(uid)] += time; }

bool LoginPlaces::MustYield(uid_t holder, uid_t uid) const {
  if (RushOf(uid).has_value()) return holder == uid;
  // Whoever has most gives.
  return std::none_of(taken_by_.begin(), taken_by_.end(),
                      [most = CountOf(holder)](const auto& entry) { return entry.second > most; });
}

int LoginPlaces::CountOf(uid_t uid) const {
  const auto entry = taken_by_.find(uid);
  return entry == taken_by_.end() ? 0 : entry->second;
}

std::optional<uid_t> LoginPlaces::RushOf(uid_t uid) const {
  return CountOf(uid) >= per_uid_ ? std::optional(uid) : std::nullopt;
}

bool LoginPlaces::IsOver(std::optional<uid_t> rush) const {
  return rush.has_value() ? CountOf(*rush) <= per_uid_ / 2 : taken_ <= total_ / 2;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
