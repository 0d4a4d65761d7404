// How many sessions of a server live, in all and per uid.

#ifndef SLUICE_IPC_SESSION_INTERNAL_SESSION_CENSUS_H_
#define SLUICE_IPC_SESSION_INTERNAL_SESSION_CENSUS_H_

#include <sys/types.h>

#include <list>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "ipc_session/internal/session_core.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// One thread at a time. Outlives the places that it gives.
class SessionCensus {
 private:
  struct Entry {
    uid_t uid;
    // Nullopt: the login is under way, and counts.
    std::optional<std::weak_ptr<const SessionCore>> session = std::nullopt;
  };

 public:
  struct Limits {
    int total = 0;
    int per_uid = 0;
  };

  // Counts until it is destroyed; once it was filled, until the session has ended. Move-only.
  class Place {
   public:
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();

    void Fill(const std::shared_ptr<const SessionCore>& session) &&;

   private:
    friend class SessionCensus;
    Place(SessionCensus* census, std::list<Entry>::iterator entry) : census_(census), entry_(entry) {}

    SessionCensus* census_;  // Null: filled, or moved from.
    std::list<Entry>::iterator entry_;
  };

  explicit SessionCensus(const Limits& limits) : limits_(limits) {}

  // For one more session of `uid`. RESOURCE_EXHAUSTED (kLimit), with the numbers: there are too many.
  absl::StatusOr<Place> Admit(uid_t uid);

 private:
  bool HasRoomFor(uid_t uid) const;
  int CountOf(uid_t uid) const;
  // Forgets the sessions that have ended.
  void Prune();

  const Limits limits_;
  std::list<Entry> entries_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_INTERNAL_SESSION_CENSUS_H_
