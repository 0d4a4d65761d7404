#include "ipc_session/internal/frames.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/internal/frame_header.h"
#include "ipc_session/internal/limits.h"
#include "ipc_session/internal/name_field.h"
#include "ipc_session/internal/wire.h"
#include "ipc_util/internal/status_macros.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

struct TermsBody {
  uint8_t kind;
  uint8_t regions;
  uint8_t places;
  uint8_t reserved = 0;
  uint32_t channels;
  uint32_t metadata_bytes;
  uint32_t keep_alive_milliseconds;
  uint32_t idle_timeout_milliseconds;
  uint32_t reserved_too = 0;
  OutboxLayout outbox;
  std::array<uint64_t, SessionMemory::kMaxRegions> region_bytes = {};
  std::array<uint64_t, SessionMemory::kMaxPlaces> place = {};
};

struct HelloBody {
  VersionRange versions;
  uint32_t reserved = 0;
  NameField client_app;
  NameField server_app;
  TermsBody terms;
};

struct WelcomeBody {
  TermsBody terms;
};

static_assert(std::is_trivially_copyable_v<OutboxLayout>);
static_assert(sizeof(OutboxLayout) == 40 && sizeof(TermsBody) == 160);
static_assert(sizeof(HelloBody) == 232 && sizeof(WelcomeBody) == 160);
static_assert(sizeof(FrameHeader) + sizeof(HelloBody) + kMaxMetadataBytes <= kMaxFrameBytes);

template <typename Body>
std::string Frame(FrameType type, const Body& body, absl::string_view tail = "") {
  std::string packet;
  AppendFrameHeader(type, kOldestVersion, sizeof(Body) + tail.size(), &packet);
  AppendWire(body, &packet);
  packet.append(tail.data(), tail.size());
  return packet;
}

absl::Status CheckVersion(const FrameHeader& header) {
  if (header.version == kOldestVersion) return absl::OkStatus();
  return MalformedFrame(absl::StrCat("a frame has version ", header.version, ", which was not agreed"));
}

TermsBody ToBody(const SideTerms& terms) {
  TermsBody body = {.kind = static_cast<uint8_t>(terms.kind),
                    .regions = static_cast<uint8_t>(terms.region_bytes.size()),
                    .places = static_cast<uint8_t>(terms.places.size()),
                    .channels = terms.channels,
                    .metadata_bytes = static_cast<uint32_t>(terms.metadata.size()),
                    .keep_alive_milliseconds = terms.keep_alive_milliseconds,
                    .idle_timeout_milliseconds = terms.idle_timeout_milliseconds,
                    .outbox = terms.outbox};
  absl::c_copy(terms.region_bytes, body.region_bytes.begin());
  absl::c_copy(terms.places, body.place.begin());
  return body;
}

absl::StatusOr<SideTerms> FromBody(const TermsBody& body, absl::Span<const std::byte> metadata) {
  if (body.kind > static_cast<uint8_t>(MemoryKind::kJemalloc)) return MalformedFrame("an unknown kind of memory");
  if (body.regions > SessionMemory::kMaxRegions) return MalformedFrame("too many regions");
  if (body.places > SessionMemory::kMaxPlaces) return MalformedFrame("too many places");
  if (body.channels > static_cast<uint32_t>(kMaxChannels)) return MalformedFrame("too many channels");
  if (body.reserved != 0 || body.reserved_too != 0) return MalformedFrame("a reserved field is in use");
  if (body.metadata_bytes > kMaxMetadataBytes || body.metadata_bytes != metadata.size()) {
    return MalformedFrame("the metadata's size is wrong");
  }
  SLUICE_RETURN_IF_ERROR(Validate(body.outbox));
  if (body.outbox.capacity() < body.channels) return MalformedFrame("more channels than its outbox holds");
  return SideTerms{
      .kind = static_cast<MemoryKind>(body.kind),
      .channels = body.channels,
      .keep_alive_milliseconds = body.keep_alive_milliseconds,
      .idle_timeout_milliseconds = body.idle_timeout_milliseconds,
      .outbox = body.outbox,
      .region_bytes = {body.region_bytes.begin(), body.region_bytes.begin() + body.regions},
      .places = {body.place.begin(), body.place.begin() + body.places},
      .metadata = std::string(reinterpret_cast<const char*>(metadata.data()), metadata.size()),
  };
}

}  // namespace

std::string Encode(const Hello& hello) {
  return Frame(FrameType::kHello,
               HelloBody{.versions = {.oldest = kOldestVersion, .newest = kNewestVersion},
                         .client_app = ToNameField(hello.client_app),
                         .server_app = ToNameField(hello.server_app),
                         .terms = ToBody(hello.terms)},
               hello.terms.metadata);
}

std::string Encode(const Welcome& welcome) {
  return Frame(FrameType::kWelcome, WelcomeBody{.terms = ToBody(welcome.terms)}, welcome.terms.metadata);
}

std::string Encode(const Refusal& refusal) { return Frame(FrameType::kRefusal, ToBody(refusal)); }

std::string EncodeReady() {
  std::string packet;
  AppendFrameHeader(FrameType::kReady, kOldestVersion, 0, &packet);
  return packet;
}

absl::StatusOr<Hello> DecodeHello(absl::Span<const std::byte> packet) {
  SLUICE_ASSIGN_OR_RETURN(const FrameHeader header, TakeFrameHeader(&packet));
  if (header.type != FrameType::kHello) return MalformedFrame("its first frame is no hello");
  VersionRange versions;
  absl::Span<const std::byte> range = packet;
  if (!TakeWire(&range, &versions) || versions.oldest > versions.newest)
    return MalformedFrame("a hello without versions");
  if (versions.oldest > kNewestVersion || versions.newest < kOldestVersion) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "no common version of the session protocol: the server speaks ", kOldestVersion, " to ",
                          kNewestVersion, ", the client ", versions.oldest, " to ", versions.newest)),
                      Reason::kWrongVersion);
  }
  SLUICE_RETURN_IF_ERROR(CheckVersion(header));
  HelloBody body;
  if (!TakeWire(&packet, &body)) return MalformedFrame("a hello is too short");
  if (body.reserved != 0) return MalformedFrame("a reserved field is in use");
  SLUICE_ASSIGN_OR_RETURN(std::string client_app, FromNameField(body.client_app));
  SLUICE_ASSIGN_OR_RETURN(std::string server_app, FromNameField(body.server_app));
  SLUICE_ASSIGN_OR_RETURN(SideTerms terms, FromBody(body.terms, packet));
  return Hello{.client_app = std::move(client_app), .server_app = std::move(server_app), .terms = std::move(terms)};
}

absl::StatusOr<std::variant<Welcome, Refusal>> DecodeAnswer(absl::Span<const std::byte> packet) {
  SLUICE_ASSIGN_OR_RETURN(const FrameHeader header, TakeFrameHeader(&packet));
  if (header.type == FrameType::kRefusal) {
    RefusalBody body;
    if (!TakeWire(&packet, &body) || !packet.empty()) return MalformedFrame("a refusal of another size");
    absl::StatusOr<Refusal> refusal = FromBody(body);
    if (!refusal.ok()) return MalformedFrame(refusal.status().message());
    return *std::move(refusal);
  }
  if (header.type != FrameType::kWelcome) return MalformedFrame("it answers a hello with neither welcome nor refusal");
  SLUICE_RETURN_IF_ERROR(CheckVersion(header));
  WelcomeBody body;
  if (!TakeWire(&packet, &body)) return MalformedFrame("a welcome is too short");
  SLUICE_ASSIGN_OR_RETURN(SideTerms terms, FromBody(body.terms, packet));
  return Welcome{.terms = std::move(terms)};
}

absl::Status DecodeReady(absl::Span<const std::byte> packet) {
  SLUICE_ASSIGN_OR_RETURN(const FrameHeader header, TakeFrameHeader(&packet));
  SLUICE_RETURN_IF_ERROR(CheckVersion(header));
  if (header.type != FrameType::kReady || !packet.empty()) return MalformedFrame("it answers a welcome with no ready");
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
