// Places for the logins under way: so many in all and so many per uid, so that nobody can keep the others out.

#ifndef SLUICE_IPC_SESSION_INTERNAL_LOGIN_PLACES_H_
#define SLUICE_IPC_SESSION_INTERNAL_LOGIN_PLACES_H_

#include <sys/types.h>

#include <map>
#include <optional>

#include "absl/time/time.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One thread at a time.
//
// Who finds no place waits, since most logins take less than a millisecond. But those behind him in the kernel's queue
// wait with him, and he may have filled the places himself. So each uid's patience has an end: from then on, until the
// rush is over, its silent logins lose their places to later clients.
class LoginPlaces {
 public:
  // How long the clients of a uid may wait for places, all together, while nothing goes on.
  static constexpr absl::Duration kPatience = absl::Milliseconds(200);

  // Each is 1 or more.
  LoginPlaces(int total, int per_uid) : total_(total), per_uid_(per_uid) {}

  // A place for a client of `uid`; false: there is none.
  bool TryTake(uid_t uid);
  void GiveBack(uid_t uid);

  // Of a client of `uid` that found no place: how much longer it may wait, and that it has waited.
  absl::Duration PatienceLeft(uid_t uid) const;
  void HasWaited(uid_t uid, absl::Duration time);

  // Whether a silent login of `holder` is to lose its place to a client of `uid` that found none.
  bool MustYield(uid_t holder, uid_t uid) const;

 private:
  int CountOf(uid_t uid) const;
  // Whose rush it is that leaves no place for `uid`: its own, or everybody's (nullopt).
  std::optional<uid_t> RushOf(uid_t uid) const;
  // Half of the places are free again.
  bool IsOver(std::optional<uid_t> rush) const;

  const int total_;
  const int per_uid_;
  int taken_ = 0;
  std::map<uid_t, int> taken_by_;                          // Without those that have none.
  std::map<std::optional<uid_t>, absl::Duration> waited_;  // By rush.
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_LOGIN_PLACES_H_
