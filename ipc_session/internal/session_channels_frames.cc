// What comes from the peer: how a session's channels act upon it.

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_session/internal/session_channels.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

absl::Status Broken(uint32_t id, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the peer broke the channel protocol: channel ", id, " ", what));
}

}  // namespace

absl::Status SessionChannels::Process() {
  SLUICE_RETURN_IF_ERROR(fork_guard_.Check());
  const MutexLock lock(mutex_);
  return ProcessLocked();
}

absl::Status SessionChannels::ProcessLocked() {
  link_->Pump();
  while (std::optional<Link::Control> control = link_->TakeControl()) {
    if (const absl::Status handled = Handle(*std::move(control)); !handled.ok()) link_->End(handled);
  }
  Flush();
  return link_->ended() ? link_->end_status() : absl::OkStatus();
}

absl::Status SessionChannels::Handle(Link::Control control) {
  SLUICE_ASSIGN_OR_RETURN(ChannelFrame frame, DecodeChannelFrame(control.bytes));
  if (const auto* const region = std::get_if<RegionFrame>(&frame)) {
    return HandleFrame(*region, std::move(control.descriptors), control.lost_descriptors);
  }
  SLUICE_RETURN_IF_ERROR(control.lost_descriptors);
  if (auto* const open = std::get_if<OpenFrame>(&frame)) {
    return HandleFrame(std::move(*open), std::move(control.descriptors));
  }
  if (!control.descriptors.empty()) return absl::DataLossError("the peer sent descriptors that nobody asked for");
  if (const auto* const accept = std::get_if<AcceptFrame>(&frame)) return HandleFrame(*accept);
  if (auto* const refuse = std::get_if<RefuseFrame>(&frame)) return HandleFrame(std::move(*refuse));
  if (const auto* const withdraw = std::get_if<WithdrawFrame>(&frame)) return HandleFrame(*withdraw);
  return HandleFrame(std::get<RetireFrame>(frame));
}

absl::Status SessionChannels::HandleFrame(OpenFrame frame, std::vector<Fd> descriptors) {
  os::Point("session.channel.offered");
  const uint32_t id = frame.channel;
  if (id < next_peer_id_ || id % 2 != next_peer_id_ % 2) return Broken(id, "is not one that it may open");
  next_peer_id_ = id + 2;
  if (frame.pipe == PipeKind::kRing) {
    SLUICE_RETURN_IF_ERROR(Validate(frame.lane, outboxes_->peer.layout()));
    if (!descriptors.empty()) return Broken(id, "came with descriptors");
  } else if (descriptors.size() != 1 || frame.lane != LanePlace()) {
    return Broken(id, absl::StrCat("came with ", descriptors.size(), " descriptors, where 1 is due, or with a lane"));
  }
  if (Count() >= max_channels_ || offers_.size() >= kMaxUnanswered) {
    Send(RefuseFrame{.channel = id, .refusal = Refusal::AtALimit("the peer has as many channels as it may")});
    return absl::OkStatus();
  }
  Fd descriptor = descriptors.empty() ? Fd() : std::move(descriptors[0]);
  offers_.emplace(id, Offered{.frame = std::move(frame), .descriptor = std::move(descriptor)});
  new_offers_.push_back(id);
  return absl::OkStatus();
}

absl::Status SessionChannels::HandleFrame(const AcceptFrame& frame) {
  os::Point("session.channel.accepted");
  const auto found = openings_.find(frame.channel);
  if (found == openings_.end()) return Broken(frame.channel, "was accepted, but not opened");
  Opening& opening = found->second;
  if (opening.accept.has_value() || opening.refusal.has_value()) return Broken(frame.channel, "was answered twice");
  if (opening.lane.has_value()) {
    SLUICE_RETURN_IF_ERROR(Validate(frame.lane, outboxes_->peer.layout()));
  } else if (frame.lane != LanePlace()) {
    return Broken(frame.channel, "was accepted with a lane");
  }
  opening.accept = frame;
  if (opening.withdrawn) EndWithdrawn(frame.channel);
  return absl::OkStatus();
}

absl::Status SessionChannels::HandleFrame(RefuseFrame frame) {
  os::Point("session.channel.refused");
  const auto found = openings_.find(frame.channel);
  if (found == openings_.end()) return Broken(frame.channel, "was refused, but not opened");
  Opening& opening = found->second;
  if (opening.accept.has_value() || opening.refusal.has_value()) return Broken(frame.channel, "was answered twice");
  opening.refusal = std::move(frame.refusal);
  if (opening.withdrawn) EndWithdrawn(frame.channel);
  return absl::OkStatus();
}

absl::Status SessionChannels::HandleFrame(const WithdrawFrame& frame) {
  const uint32_t id = frame.channel;
  if (id >= next_peer_id_ || id < first_peer_id_ || id % 2 != next_peer_id_ % 2) {
    return Broken(id, "was withdrawn, but not opened");
  }
  if (offers_.erase(id) == 0) return absl::OkStatus();  // Its answer is on the way.
  Send(RefuseFrame{.channel = id, .refusal = {.code = absl::StatusCode::kUnavailable, .text = "withdrawn"}});
  return absl::OkStatus();
}

absl::Status SessionChannels::HandleFrame(const RetireFrame& frame) {
  os::Point("session.channel.retired");
  const uint32_t id = frame.channel;
  if (const auto opening = openings_.find(id); opening != openings_.end()) {
    if (!opening->second.accept.has_value() || opening->second.peer_end->has_ended())
      return Broken(id, "was retired too soon");
    opening->second.peer_end->Ended(frame.received);
    return absl::OkStatus();
  }
  const auto live = live_.find(id);
  if (live == live_.end() || live->second.peer_end->has_ended()) return Broken(id, "was retired, but is none");
  live->second.peer_end->Ended(frame.received);
  ForgetIfRetired(id);
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
