// Session memory for tests: offers regions, takes in what the peer offers, and has no message store.

#ifndef SLUICE_IPC_SESSION_TESTING_FAKE_MEMORY_H_
#define SLUICE_IPC_SESSION_TESTING_FAKE_MEMORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_util/region.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// What one side's memory lived through.
struct MemoryDiary {
  std::string calls = {};  // "offer adopt open" in the order in which they came.
  uint64_t arena_bytes = 0;
  absl::Duration arena_decay;
  std::string client_app = {};
  std::vector<uint64_t> adopted_bytes = {};
  std::vector<uint64_t> adopted_places = {};
  ::ipc::internal::ReleaseCounters counters = {};
  std::weak_ptr<::ipc::internal::RegionExchange> exchange = {};
  // Of later regions: the bytes, "at" the address; or the error.
  std::vector<std::string> later = {};
};

class FakeMemory : public ::ipc::internal::SessionMemory {
 public:
  FakeMemory(int regions, absl::Status adopt_status, std::shared_ptr<MemoryDiary> diary)
      : adopt_status_(std::move(adopt_status)), diary_(std::move(diary)) {
    for (int i = 0; i < regions; ++i) {
      absl::StatusOr<Region> region = Region::Create("fake-memory", 4096 * (i + 1), Sharing::kManyWriters);
      if (region.ok()) regions_.push_back(*std::move(region));
    }
  }

  // A place of each region, which is not where it lies.
  absl::StatusOr<::ipc::internal::MemoryOffer> Offer() override {
    diary_->calls += "offer ";
    ::ipc::internal::MemoryOffer offer;
    for (const Region& region : regions_) {
      offer.regions.push_back({.fd = region.fd(), .bytes = region.size()});
      offer.places.push_back(1000 + region.size());
    }
    return offer;
  }

  absl::Status Adopt(::ipc::internal::ReceivedMemory received) override {
    diary_->calls += "adopt ";
    for (const auto& region : received.regions) diary_->adopted_bytes.push_back(region.fd.valid() ? region.bytes : 0);
    diary_->adopted_places = std::move(received.places);
    return adopt_status_;
  }

  std::shared_ptr<MessageStore> Open(::ipc::internal::ReleaseCounters counters,
                                     std::weak_ptr<::ipc::internal::RegionExchange> exchange) override {
    diary_->calls += "open";
    diary_->counters = std::move(counters);
    diary_->exchange = std::move(exchange);
    return nullptr;
  }

  absl::Status AdoptLater(absl::StatusOr<::ipc::internal::ReceivedRegion> region, uint64_t address) override {
    diary_->later.push_back(region.ok() ? absl::StrCat(region->bytes, " at ", address) : region.status().ToString());
    return adopt_status_;
  }

 private:
  const absl::Status adopt_status_;
  const std::shared_ptr<MemoryDiary> diary_;
  std::vector<Region> regions_;
};

class FakeMemoryFactory : public ::ipc::internal::SessionMemoryFactory {
 public:
  explicit FakeMemoryFactory(int regions = 1, absl::Status adopt_status = absl::OkStatus(),
                             ::ipc::internal::MemoryKind kind = ::ipc::internal::MemoryKind::kClassic)
      : regions_(regions), adopt_status_(std::move(adopt_status)), kind_(kind) {}

  ::ipc::internal::MemoryKind kind() const override { return kind_; }

  absl::StatusOr<std::shared_ptr<::ipc::internal::SessionMemory>> Create(
      const ::ipc::internal::MemoryRequest& request) const override {
    diary_->arena_bytes = request.arena_bytes;
    diary_->arena_decay = request.arena_decay;
    diary_->client_app = request.client_app;
    return std::make_shared<FakeMemory>(regions_, adopt_status_, diary_);
  }

  const MemoryDiary& diary() const { return *diary_; }

 private:
  const int regions_;
  const absl::Status adopt_status_;
  const ::ipc::internal::MemoryKind kind_;
  const std::shared_ptr<MemoryDiary> diary_ = std::make_shared<MemoryDiary>();
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SESSION_TESTING_FAKE_MEMORY_H_
