#include "ipc_util/status.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

constexpr absl::string_view kReasonUrl = "sluice/reason";

struct ErrnoMeaning {
  int error;
  absl::StatusCode code;
  absl::string_view remedy;
};

constexpr ErrnoMeaning kMeanings[] = {
    {EMFILE, absl::StatusCode::kResourceExhausted, "raise the limit of open files, RLIMIT_NOFILE (ulimit -n)"},
    {ENFILE, absl::StatusCode::kResourceExhausted, "raise the system's limit of open files, fs.file-max"},
    {ENOMEM, absl::StatusCode::kResourceExhausted, "free memory, or raise RLIMIT_AS or vm.max_map_count"},
    {ENOSPC, absl::StatusCode::kResourceExhausted, "free space"},
    {EDQUOT, absl::StatusCode::kResourceExhausted, "free space within the quota"},
    {ENOBUFS, absl::StatusCode::kResourceExhausted, "free memory for socket buffers"},
    {ETOOMANYREFS, absl::StatusCode::kResourceExhausted,
     "let the peer receive the descriptors in flight, or raise RLIMIT_NOFILE"},
    {EACCES, absl::StatusCode::kPermissionDenied, ""},
    {EPERM, absl::StatusCode::kPermissionDenied, ""},
    {EPIPE, absl::StatusCode::kUnavailable, ""},
    {ECONNRESET, absl::StatusCode::kUnavailable, ""},
    {ECONNREFUSED, absl::StatusCode::kUnavailable, ""},
    {ENOTCONN, absl::StatusCode::kUnavailable, ""},
    {ENOENT, absl::StatusCode::kUnavailable, ""},
    {ESRCH, absl::StatusCode::kUnavailable, ""},
    {EADDRINUSE, absl::StatusCode::kAlreadyExists, ""},
    {EEXIST, absl::StatusCode::kAlreadyExists, ""},
    {ETIMEDOUT, absl::StatusCode::kDeadlineExceeded, ""},
    {ENOSYS, absl::StatusCode::kFailedPrecondition, "needs Linux 5.10 or later"},
    {EOPNOTSUPP, absl::StatusCode::kFailedPrecondition, ""},
};

}  // namespace

absl::string_view Name(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kGoodbye:
      return "goodbye";
    case Reason::kExited:
      return "exited";
    case Reason::kKilled:
      return "killed";
    case Reason::kGone:
      return "gone";
    case Reason::kSilent:
      return "silent";
    case Reason::kNoServer:
      return "no server";
    case Reason::kNoAnswer:
      return "no answer";
    case Reason::kNotListed:
      return "not listed";
    case Reason::kWrongUser:
      return "wrong user";
    case Reason::kWrongExecutable:
      return "wrong executable";
    case Reason::kWrongKind:
      return "wrong kind";
    case Reason::kWrongVersion:
      return "wrong version";
    case Reason::kLimit:
      return "limit";
    case Reason::kWrongLimits:
      return "wrong limits";
  }
  return "unknown";
}

Reason ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kReasonUrl);
  if (!payload.has_value()) return Reason::kNone;
  for (int value = 0; value <= static_cast<int>(Reason::kWrongLimits); ++value) {
    if (*payload == Name(static_cast<Reason>(value))) return static_cast<Reason>(value);
  }
  return Reason::kNone;
}

// The name, as a printed status shows it.
absl::Status WithReason(absl::Status status, Reason reason) {
  if (!status.ok()) status.SetPayload(kReasonUrl, absl::Cord(Name(reason)));
  return status;
}

absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status result(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

absl::Status FromErrno(int error, absl::string_view what) {
  const std::string text = absl::StrCat(what, ": ", std::generic_category().message(error));
  for (const ErrnoMeaning& meaning : kMeanings) {
    if (meaning.error != error) continue;
    return absl::Status(meaning.code, meaning.remedy.empty() ? text : absl::StrCat(text, "; ", meaning.remedy));
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace sluice_0
}  // namespace ipc
