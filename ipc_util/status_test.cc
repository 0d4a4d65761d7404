#include "ipc_util/status.h"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::StatusIs;

constexpr Reason kReasons[] = {Reason::kGoodbye,         Reason::kExited,    Reason::kKilled,       Reason::kGone,
                               Reason::kSilent,          Reason::kNoServer,  Reason::kNotListed,    Reason::kWrongUser,
                               Reason::kWrongExecutable, Reason::kWrongKind, Reason::kWrongVersion, Reason::kLimit,
                               Reason::kWrongLimits};

struct ErrnoCase {
  int error;
  absl::StatusCode code;
  const char* remedy;  // A word of it; null: there is none.
};

constexpr ErrnoCase kErrnoCases[] = {
    {EMFILE, absl::StatusCode::kResourceExhausted, "RLIMIT_NOFILE"},
    {ENFILE, absl::StatusCode::kResourceExhausted, "fs.file-max"},
    {ENOMEM, absl::StatusCode::kResourceExhausted, "vm.max_map_count"},
    {ENOSPC, absl::StatusCode::kResourceExhausted, "free space"},
    {EDQUOT, absl::StatusCode::kResourceExhausted, "quota"},
    {ENOBUFS, absl::StatusCode::kResourceExhausted, "socket buffers"},
    {ETOOMANYREFS, absl::StatusCode::kResourceExhausted, "RLIMIT_NOFILE"},
    {EACCES, absl::StatusCode::kPermissionDenied, nullptr},
    {EPERM, absl::StatusCode::kPermissionDenied, nullptr},
    {EPIPE, absl::StatusCode::kUnavailable, nullptr},
    {ECONNRESET, absl::StatusCode::kUnavailable, nullptr},
    {ECONNREFUSED, absl::StatusCode::kUnavailable, nullptr},
    {ENOTCONN, absl::StatusCode::kUnavailable, nullptr},
    {ENOENT, absl::StatusCode::kUnavailable, nullptr},
    {ESRCH, absl::StatusCode::kUnavailable, nullptr},
    {EADDRINUSE, absl::StatusCode::kAlreadyExists, nullptr},
    {EEXIST, absl::StatusCode::kAlreadyExists, nullptr},
    {ETIMEDOUT, absl::StatusCode::kDeadlineExceeded, nullptr},
    {ENOSYS, absl::StatusCode::kFailedPrecondition, "Linux 5.10"},
    {EOPNOTSUPP, absl::StatusCode::kFailedPrecondition, nullptr},
};

TEST(FromErrnoTest, FollowsTheTable) {
  for (const ErrnoCase& c : kErrnoCases) {
    const std::string text = absl::StrCat("do a thing: ", std::strerror(c.error));
    const absl::Status status = FromErrno(c.error, "do a thing");
    if (c.remedy == nullptr) {
      EXPECT_THAT(status, StatusIs(c.code, text));
    } else {
      EXPECT_THAT(status, StatusIs(c.code, StartsWith(text + "; ")));
      EXPECT_THAT(status, StatusIs(c.code, HasSubstr(c.remedy)));
    }
    EXPECT_EQ(ReasonOf(status), Reason::kNone);
  }
}

TEST(FromErrnoTest, TheRestIsABadArgument) {
  std::set<int> in_table;
  for (const ErrnoCase& c : kErrnoCases) in_table.insert(c.error);
  constexpr int kMaxErrno = 133;
  for (int error = 1; error <= kMaxErrno; ++error) {
    if (in_table.count(error) != 0) continue;
    EXPECT_THAT(FromErrno(error, "x"), StatusIs(absl::StatusCode::kInvalidArgument)) << std::strerror(error);
  }
}

TEST(ReasonTest, TravelsWithTheStatus) {
  for (const Reason reason : kReasons) {
    const absl::Status status = WithReason(absl::UnavailableError("text"), reason);
    EXPECT_EQ(ReasonOf(status), reason);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "text"));
  }
}

TEST(ReasonTest, TheLastOneCounts) {
  const absl::Status status = WithReason(absl::UnavailableError(""), Reason::kGone);
  EXPECT_EQ(ReasonOf(WithReason(status, Reason::kKilled)), Reason::kKilled);
}

TEST(ReasonTest, NoneWhereThereIsNone) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), Reason::kNone);
  EXPECT_EQ(ReasonOf(absl::UnavailableError("text")), Reason::kNone);
  absl::Status strange = absl::UnavailableError("text");
  strange.SetPayload("sluice/reason", absl::Cord("the name of none"));
  EXPECT_EQ(ReasonOf(strange), Reason::kNone);
}

TEST(ReasonTest, AnOkStatusStaysAsItIs) {
  EXPECT_OK(WithReason(absl::OkStatus(), Reason::kGone));
  EXPECT_EQ(ReasonOf(WithReason(absl::OkStatus(), Reason::kGone)), Reason::kNone);
}

TEST(ReasonTest, EachHasANameOfItsOwn) {
  std::set<absl::string_view> names;
  for (const Reason reason : kReasons) {
    EXPECT_NE(Name(reason), "unknown");
    names.insert(Name(reason));
  }
  EXPECT_EQ(names.size(), std::size(kReasons));
  EXPECT_EQ(Name(Reason::kNone), "none");
  EXPECT_EQ(Name(Reason::kGoodbye), "goodbye");
  EXPECT_EQ(Name(Reason::kNoServer), "no server");
  EXPECT_EQ(Name(static_cast<Reason>(99)), "unknown");
}

TEST(WithContextTest, KeepsCodeReasonAndPayloads) {
  absl::Status status = WithReason(absl::PermissionDeniedError("refused"), Reason::kWrongUser);
  status.SetPayload("another/payload", absl::Cord("kept"));
  const absl::Status result = WithContext(WithContext(status, "inner"), "outer");
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kPermissionDenied, "outer: inner: refused"));
  EXPECT_EQ(ReasonOf(result), Reason::kWrongUser);
  EXPECT_EQ(*result.GetPayload("another/payload"), "kept");
}

TEST(WithContextTest, AnOkStatusStaysAsItIs) { EXPECT_OK(WithContext(absl::OkStatus(), "context")); }

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
