#include "ipc_session/channel_offer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

absl::Status Over(absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("the ", what, " was answered already, or its session is no more"));
}

}  // namespace

ChannelOffer::ChannelOffer(std::weak_ptr<internal::SessionChannels> session, uint32_t id, PipeKind pipe,
                           std::string metadata)
    : session_(std::move(session)), id_(id), pipe_(pipe), metadata_(std::move(metadata)) {}

ChannelOffer& ChannelOffer::operator=(ChannelOffer&& other) noexcept {
  if (this == &other) return *this;
  Refuse("nobody took it");
  session_ = std::move(other.session_);
  id_ = other.id_;
  pipe_ = other.pipe_;
  metadata_ = std::move(other.metadata_);
  return *this;
}

absl::StatusOr<Channel> ChannelOffer::Accept(const PipeSizes& sizes, Deadline deadline) {
  SLUICE_RETURN_IF_ERROR(Validate(sizes));
  const std::shared_ptr<internal::SessionChannels> session = std::exchange(session_, {}).lock();
  if (session == nullptr) return Over("offer");
  return session->Accept(id_, sizes, deadline);
}

void ChannelOffer::Refuse(absl::string_view why) {
  const std::shared_ptr<internal::SessionChannels> session = std::exchange(session_, {}).lock();
  if (session != nullptr) session->Refuse(id_, why);
}

OpeningChannel::OpeningChannel(std::weak_ptr<internal::SessionChannels> session, uint32_t id)
    : session_(std::move(session)), id_(id) {}

OpeningChannel& OpeningChannel::operator=(OpeningChannel&& other) noexcept {
  if (this == &other) return *this;
  if (const std::shared_ptr<internal::SessionChannels> session = session_.lock()) session->Withdraw(id_);
  session_ = std::move(other.session_);
  id_ = other.id_;
  return *this;
}

OpeningChannel::~OpeningChannel() {
  if (const std::shared_ptr<internal::SessionChannels> session = session_.lock()) session->Withdraw(id_);
}

absl::StatusOr<Channel> OpeningChannel::Wait(Deadline deadline) {
  const std::shared_ptr<internal::SessionChannels> session = session_.lock();
  if (session == nullptr) return Over("opening");
  absl::StatusOr<Channel> channel = session->FinishOpening(id_, deadline);
  if (!absl::IsDeadlineExceeded(channel.status())) session_.reset();
  return channel;
}

}  // namespace sluice_0
}  // namespace ipc
