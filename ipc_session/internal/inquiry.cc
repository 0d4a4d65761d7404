#include "ipc_session/internal/inquiry.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_session/internal/frame_header.h"
#include "ipc_session/internal/frames.h"
#include "ipc_session/internal/name_field.h"
#include "ipc_session/internal/refusal.h"
#include "ipc_session/internal/wire.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

struct PartHead {
  uint32_t total_bytes;
  uint32_t offset;
};

struct ServerBody {
  NameField app;
  uint32_t kind;
  uint32_t sessions;
  uint32_t listed_sessions;
  uint32_t reserved = 0;
};

struct SessionBody {
  NameField app;
  uint32_t pid;
  uint32_t uid;
  uint32_t gid;
  uint16_t has_ended;
  uint16_t has_memory;
  int64_t opened_unix_nanos;
  MemoryUsage memory;
  uint32_t channels;
  uint32_t listed_channels;
};

struct ChannelBody {
  uint32_t id;
  uint32_t pipe;
  TrafficReport sent;
  TrafficReport received;
  uint64_t unread_bytes;
};

static_assert(std::is_trivially_copyable_v<TrafficReport> && std::is_trivially_copyable_v<MemoryUsage>);
static_assert(sizeof(TrafficReport) == 304 && sizeof(MemoryUsage) == 80);
static_assert(sizeof(ServerBody) == 48 && sizeof(SessionBody) == 144 && sizeof(ChannelBody) == 624);

constexpr size_t kMaxPartBytes = 4096;
static_assert(sizeof(FrameHeader) + sizeof(PartHead) + kMaxPartBytes <= kMaxFrameBytes);
constexpr size_t kMaxReportBytes =
    sizeof(ServerBody) + kMaxListedSessions * sizeof(SessionBody) + kMaxListedChannels * sizeof(ChannelBody);

ChannelBody ToBody(const ChannelReport& report) {
  return {.id = report.id,
          .pipe = static_cast<uint32_t>(report.pipe),
          .sent = report.sent,
          .received = report.received,
          .unread_bytes = report.unread_bytes};
}

SessionBody ToBody(const SessionReport& report, size_t listed_channels) {
  return {.app = ToNameField(report.peer.app),
          .pid = static_cast<uint32_t>(report.peer.credentials.pid),
          .uid = report.peer.credentials.uid,
          .gid = report.peer.credentials.gid,
          .has_ended = report.has_ended,
          .has_memory = report.memory.has_value(),
          .opened_unix_nanos = report.opened_unix_nanos,
          .memory = report.memory.value_or(MemoryUsage()),
          .channels = report.channels,
          .listed_channels = static_cast<uint32_t>(listed_channels)};
}

absl::StatusOr<ChannelReport> FromBody(const ChannelBody& body) {
  if (body.pipe > static_cast<uint32_t>(PipeKind::kMq)) return MalformedFrame("an unknown kind of pipe");
  return ChannelReport{.id = body.id,
                       .pipe = static_cast<PipeKind>(body.pipe),
                       .sent = body.sent,
                       .received = body.received,
                       .unread_bytes = body.unread_bytes};
}

// Without its channels.
absl::StatusOr<SessionReport> FromBody(const SessionBody& body) {
  if (body.has_ended > 1 || body.has_memory > 1) return MalformedFrame("a session is neither this nor that");
  if (body.has_memory == 0 && body.memory != MemoryUsage()) return MalformedFrame("a session has memory and has none");
  if (body.listed_channels > body.channels) return MalformedFrame("more channels are listed than there are");
  SLUICE_ASSIGN_OR_RETURN(std::string app, FromNameField(body.app));
  SessionReport report = {.peer = {.app = std::move(app),
                                   .credentials = {.pid = static_cast<pid_t>(body.pid),
                                                   .uid = static_cast<uid_t>(body.uid),
                                                   .gid = static_cast<gid_t>(body.gid)}},
                          .opened_unix_nanos = body.opened_unix_nanos,
                          .has_ended = body.has_ended == 1,
                          .channels = body.channels};
  if (report.peer.credentials.pid < 0) return MalformedFrame("a process has no such number");
  if (body.has_memory == 1) report.memory = body.memory;
  return report;
}

}  // namespace

std::string EncodeInquiry() {
  const VersionRange versions = {.oldest = kInquiryVersion, .newest = kInquiryVersion};
  std::string packet;
  AppendFrameHeader(FrameType::kInquiry, kInquiryVersion, sizeof(versions), &packet);
  AppendWire(versions, &packet);
  return packet;
}

bool IsInquiry(absl::Span<const std::byte> packet) {
  const absl::StatusOr<FrameHeader> header = TakeFrameHeader(&packet);
  return header.ok() && header->type == FrameType::kInquiry;
}

absl::Status DecodeInquiry(absl::Span<const std::byte> packet) {
  SLUICE_RETURN_IF_ERROR(TakeFrameHeader(&packet).status());
  VersionRange versions;
  if (!TakeWire(&packet, &versions) || versions.oldest > versions.newest) {
    return MalformedFrame("an inquiry without versions");
  }
  if (versions.oldest > kInquiryVersion || versions.newest < kInquiryVersion) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("no common version of inquiries: the server speaks ",
                                                                 kInquiryVersion, ", the asker ", versions.oldest,
                                                                 " to ", versions.newest)),
                      Reason::kWrongVersion);
  }
  return absl::OkStatus();
}

std::deque<std::string> EncodeReport(const ServerReport& report) {
  const size_t sessions = std::min(report.listed.size(), kMaxListedSessions);
  std::string bytes;
  AppendWire(ServerBody{.app = ToNameField(report.app),
                        .kind = static_cast<uint32_t>(report.kind),
                        .sessions = report.sessions,
                        .listed_sessions = static_cast<uint32_t>(sessions)},
             &bytes);
  size_t room = kMaxListedChannels;
  for (size_t i = 0; i < sessions; ++i) {
    const SessionReport& session = report.listed[i];
    const size_t channels = std::min(session.listed.size(), room);
    room -= channels;
    AppendWire(ToBody(session, channels), &bytes);
    for (size_t k = 0; k < channels; ++k) AppendWire(ToBody(session.listed[k]), &bytes);
  }
  std::deque<std::string> packets;
  for (size_t offset = 0; offset < bytes.size(); offset += kMaxPartBytes) {
    const absl::string_view part = absl::string_view(bytes).substr(offset, kMaxPartBytes);
    std::string& packet = packets.emplace_back();
    AppendFrameHeader(FrameType::kReport, kInquiryVersion, sizeof(PartHead) + part.size(), &packet);
    AppendWire(PartHead{.total_bytes = static_cast<uint32_t>(bytes.size()), .offset = static_cast<uint32_t>(offset)},
               &packet);
    packet.append(part.data(), part.size());
  }
  return packets;
}

absl::StatusOr<bool> ReportReader::Add(absl::Span<const std::byte> packet) {
  const absl::Span<const std::byte> whole = packet;
  SLUICE_ASSIGN_OR_RETURN(const FrameHeader header, TakeFrameHeader(&packet));
  if (header.type == FrameType::kRefusal) {
    SLUICE_ASSIGN_OR_RETURN(const auto answer, DecodeAnswer(whole));
    return std::get<Refusal>(answer).ToStatus();
  }
  if (header.type != FrameType::kReport) return MalformedFrame("it answers an inquiry with no report");
  if (header.version != kInquiryVersion) return MalformedFrame("a report has a version that was not agreed");
  PartHead head;
  if (!TakeWire(&packet, &head)) return MalformedFrame("a report is too short");
  if (head.total_bytes > kMaxReportBytes) return MalformedFrame("a report is too long");
  if (head.offset != bytes_.size() || packet.empty() || packet.size() > head.total_bytes - head.offset) {
    return MalformedFrame("a report's part is not the one that is due");
  }
  bytes_.insert(bytes_.end(), packet.begin(), packet.end());
  return bytes_.size() == head.total_bytes;
}

absl::StatusOr<ServerReport> ReportReader::Decode() const {
  absl::Span<const std::byte> rest = bytes_;
  ServerBody server;
  if (!TakeWire(&rest, &server)) return MalformedFrame("a report has no server");
  if (server.kind > static_cast<uint32_t>(MemoryKind::kJemalloc)) return MalformedFrame("an unknown kind of memory");
  if (server.reserved != 0) return MalformedFrame("a reserved field is in use");
  if (server.listed_sessions > server.sessions || server.listed_sessions > kMaxListedSessions) {
    return MalformedFrame("too many sessions are listed");
  }
  ServerReport report = {.kind = static_cast<MemoryKind>(server.kind), .sessions = server.sessions};
  SLUICE_ASSIGN_OR_RETURN(report.app, FromNameField(server.app));
  size_t room = kMaxListedChannels;
  for (uint32_t i = 0; i < server.listed_sessions; ++i) {
    SessionBody body;
    if (!TakeWire(&rest, &body)) return MalformedFrame("a report ends before its sessions");
    SLUICE_ASSIGN_OR_RETURN(SessionReport session, FromBody(body));
    if (body.listed_channels > room) return MalformedFrame("too many channels are listed");
    room -= body.listed_channels;
    for (uint32_t k = 0; k < body.listed_channels; ++k) {
      ChannelBody channel;
      if (!TakeWire(&rest, &channel)) return MalformedFrame("a report ends before its channels");
      SLUICE_ASSIGN_OR_RETURN(session.listed.emplace_back(), FromBody(channel));
    }
    report.listed.push_back(std::move(session));
  }
  if (!rest.empty()) return MalformedFrame("a report goes on behind its end");
  return report;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
