#include "ipc_session/internal/refusal.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr uint16_t kUnavailable = 6;
constexpr std::pair<uint16_t, absl::StatusCode> kCodes[] = {
    {1, absl::StatusCode::kPermissionDenied},  {2, absl::StatusCode::kFailedPrecondition},
    {3, absl::StatusCode::kResourceExhausted}, {4, absl::StatusCode::kDataLoss},
    {5, absl::StatusCode::kDeadlineExceeded},  {kUnavailable, absl::StatusCode::kUnavailable},
};
constexpr std::pair<uint16_t, Reason> kReasons[] = {
    {0, Reason::kNone},      {1, Reason::kNotListed},    {2, Reason::kWrongUser}, {3, Reason::kWrongExecutable},
    {4, Reason::kWrongKind}, {5, Reason::kWrongVersion}, {6, Reason::kLimit},     {7, Reason::kWrongLimits},
};

}  // namespace

Refusal Refusal::AtALimit(absl::string_view text) {
  return {.code = absl::StatusCode::kResourceExhausted, .reason = Reason::kLimit, .text = std::string(text)};
}

absl::Status Refusal::ToStatus() const {
  return WithReason(absl::Status(code, absl::StrCat("refused: ", text)), reason);
}

RefusalBody ToBody(const Refusal& refusal) {
  const auto code = absl::c_find_if(kCodes, [&](const auto& pair) { return pair.second == refusal.code; });
  const auto reason = absl::c_find_if(kReasons, [&](const auto& pair) { return pair.second == refusal.reason; });
  RefusalBody body = {
      .code = code == std::end(kCodes) ? kUnavailable : code->first,
      .reason = reason == std::end(kReasons) ? uint16_t{0} : reason->first,
      .text_bytes = static_cast<uint32_t>(std::min(refusal.text.size(), Refusal::kMaxTextBytes)),
  };
  std::transform(refusal.text.begin(), refusal.text.begin() + body.text_bytes, body.text.begin(),
                 [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)) ? c : '?'; });
  return body;
}

absl::StatusOr<Refusal> FromBody(const RefusalBody& body) {
  const auto code = absl::c_find_if(kCodes, [&](const auto& pair) { return pair.first == body.code; });
  const auto reason = absl::c_find_if(kReasons, [&](const auto& pair) { return pair.first == body.reason; });
  if (code == std::end(kCodes)) return absl::InvalidArgumentError("a refusal has an unknown code");
  if (body.text_bytes > body.text.size()) return absl::InvalidArgumentError("a refusal's text is too long");
  std::string text(body.text.data(), body.text_bytes);
  if (!absl::c_all_of(text, [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); })) {
    return absl::InvalidArgumentError("a refusal's text is no text");
  }
  return Refusal{.code = code->second,
                 .reason = reason == std::end(kReasons) ? Reason::kNone : reason->second,
                 .text = std::move(text)};
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
