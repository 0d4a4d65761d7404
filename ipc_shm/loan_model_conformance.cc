#include "ipc_shm/loan_model_conformance.h"

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/internal/session_arena.h"
#include "ipc_shm/robust_mutex.h"
#include "ipc_shm/testing/loan_traffic.h"
#include "ipc_shm/testing/model_object.h"
#include "ipc_shm/testing/shared_pages.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

using ::ipc::internal::ArenaOf;

constexpr uint64_t kArenaBytes = uint64_t{64} << 20;
constexpr uint64_t kTightArenaBytes = uint64_t{4} << 20;

std::optional<LoanModelKind>& Kind() {
  static std::optional<LoanModelKind> kind;
  return kind;
}

uint64_t NumberOf(const std::string& text) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) std::abort();
  return number;
}

// What the environment says, or `few`.
uint64_t CountOf(const char* variable, uint64_t few) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? few : NumberOf(text);
}

SessionOptions Options(const std::string& folder, uint64_t arena_bytes) {
  SessionOptions options = OptionsIn(folder);
  options.channels = 1;
  options.arena_bytes = arena_bytes;
  return options;
}

// Each session may take as long as a whole test does by default: there can be many.
void LimitRound() { alarm(50 * kSlowness); }

absl::Status RunSteps(LoanTraffic& traffic, uint64_t steps) {
  for (uint64_t i = 0; i < steps; ++i) SLUICE_RETURN_IF_ERROR(traffic.Step());
  return absl::OkStatus();
}

// Arguments: the run folder, the arena's bytes, a seed, the steps, and one of "lives", "dies" (it may be killed),
// "looks" (it tells what private addresses there are in shared pages before the end). 0 steps: it goes on until the
// peer ends the traffic.
SLUICE_CHILD_ROLE(loan_model_client) {
  absl::StatusOr<Session> session = Kind()->sessions.connect(Options(arguments[0], NumberOf(arguments[1])));
  if (!session.ok()) {
    TellParent(session.status().ToString());
    return 1;
  }
  LoanTraffic traffic(*session, NumberOf(arguments[2]),
                      {.peers_write = Kind()->peers_write, .peers_die = arguments[4] == "dies"});
  const uint64_t steps = NumberOf(arguments[3]);
  absl::Status status = RunSteps(traffic, steps);
  while (status.ok() && steps == 0 && !traffic.peer_finishes()) status = traffic.Step();
  if (status.ok() && arguments[4] == "looks") {
    const std::string found = SharedPages::Now().private_addresses;
    TellParent(found.empty() ? "none" : found);
    HearParent();
  }
  if (status.ok()) status = traffic.Finish();
  TellParent(status.ToString());
  return status.ok() ? 0 : 1;
}

Child StartClient(const TempDir& folder, uint64_t arena_bytes, uint64_t seed, uint64_t steps, const std::string& how) {
  return Child::Start("loan_model_client",
                      {folder.path(), absl::StrCat(arena_bytes), absl::StrCat(seed), absl::StrCat(steps), how});
}

// Serves one session after the other with `serve`, which returns CANCELLED when it has served enough.
void Serve(const LoanModelKind& kind, const TempDir& folder, uint64_t arena_bytes, absl::FunctionRef<void()> listening,
           absl::FunctionRef<absl::Status(Session&)> serve) {
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session.arena_bytes = arena_bytes;
  EXPECT_THAT(kind.sessions.serve(options, listening, serve), StatusIs(absl::StatusCode::kCancelled));
}

// Two processes with `arena_bytes` each, as long as the environment says. How often this side's arena was full.
int RunModel(const LoanModelKind& kind, uint64_t arena_bytes, uint64_t first_seed) {
  constexpr uint64_t kSeeds = 4;
  const uint64_t steps = CountOf("LOAN_MODEL_STEPS", 1500 / kSlowness);
  const TempDir folder;
  std::optional<Child> client;
  uint64_t seed = first_seed;
  int full = 0;
  const auto start = [&] { client.emplace(StartClient(folder, arena_bytes, 2 * seed, steps, "lives")); };
  Serve(kind, folder, arena_bytes, start, [&](Session& session) {
    LimitRound();
    LoanTraffic traffic(session, 2 * seed + 1, {.peers_write = kind.peers_write});
    EXPECT_OK(RunSteps(traffic, steps)) << "seed " << seed;
    EXPECT_OK(traffic.Finish()) << "seed " << seed;
    EXPECT_EQ(client->Hear(), "OK") << "seed " << seed;
    EXPECT_EQ(client->Wait(), 0);
    EXPECT_GT(traffic.lent(), 0);
    EXPECT_GT(traffic.borrowed(), 0);
    full += traffic.full();
    if (::testing::Test::HasFailure() || ++seed == first_seed + kSeeds) return absl::CancelledError();
    client.reset();
    start();
    return absl::OkStatus();
  });
  return full;
}

}  // namespace

int SetLoanModelKind(const LoanModelKind& kind) {
  Kind() = kind;
  return 0;
}

TEST_P(LoanModelConformance, BothSidesMakeLendAndChangeAtTheSameTime) { RunModel(GetParam(), kArenaBytes, 1); }

// R1: full again and again, it goes on.
TEST_P(LoanModelConformance, FullArenasAreErrorsAndAllComesBack) {
  EXPECT_GT(RunModel(GetParam(), kTightArenaBytes, 100), 0);
}

// K5, K6: wherever it is at work, its end is that of its session, and the next client is served.
TEST_P(LoanModelConformance, AClientKilledAtARandomInstant) {
  const uint64_t kills = CountOf("LOAN_MODEL_KILLS", 30 / kSlowness);
  const TempDir folder;
  std::optional<Child> client;
  uint64_t round = 0;
  Random random(1);
  const auto start = [&] { client.emplace(StartClient(folder, kArenaBytes, random(), /*steps=*/0, "dies")); };
  Serve(GetParam(), folder, kArenaBytes, start, [&](Session& session) {
    LimitRound();
    LoanTraffic traffic(session, random(), {.peers_write = GetParam().peers_write, .peers_die = true});
    EXPECT_OK(RunSteps(traffic, random() % 500)) << "round " << round;
    if (round % 4 == 0) {  // It is stopped first.
      client->Stop();
      EXPECT_OK(RunSteps(traffic, random() % 200)) << "round " << round;
    }
    const pid_t pid = client->pid();
    EXPECT_EQ(kill(pid, SIGKILL), 0);
    // While it dies, too.
    absl::Status status;
    for (uint64_t i = random() % 50; i > 0 && status.ok(); --i) status = traffic.Step();
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(client->Wait(), -SIGKILL);
    EXPECT_EQ(client->Hear(), "") << "it had no error";
    EXPECT_THAT(session.WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_OK(traffic.Check()) << "round " << round;
    EXPECT_OK(traffic.DisownAll()) << "round " << round;
    EXPECT_OK(traffic.Check()) << "what it lent, round " << round;
    if (::testing::Test::HasFailure() || ++round == kills) return absl::CancelledError();
    client.reset();
    start();
    return absl::OkStatus();
  });
}

// Principle 8, K6: no step waits for it; it wakes up to what it knows.
TEST_P(LoanModelConformance, AClientStoppedAtARandomInstantDelaysNobody) {
  constexpr int kStops = 20;
  const TempDir folder;
  std::optional<Child> client;
  const auto start = [&] { client.emplace(StartClient(folder, kArenaBytes, 7, /*steps=*/0, "lives")); };
  Serve(GetParam(), folder, kArenaBytes, start, [&](Session& session) {
    Random random(2);
    LoanTraffic traffic(session, 8, {.peers_write = GetParam().peers_write});
    for (int i = 0; i < kStops && !::testing::Test::HasFailure(); ++i) {
      EXPECT_OK(RunSteps(traffic, random() % 100)) << i;
      client->Stop();
      EXPECT_OK(RunSteps(traffic, 200)) << i;
      client->Continue();
    }
    EXPECT_OK(traffic.Finish());
    EXPECT_EQ(client->Hear(), "OK");
    EXPECT_EQ(client->Wait(), 0);
    return absl::CancelledError();
  });
}

// H6: neither side writes addresses of its own memory where the other can read them.
TEST_P(LoanModelConformance, SharedPagesTellNoPrivateAddresses) {
  constexpr uint64_t kSteps = 1000;
  const TempDir folder;
  std::optional<Child> client;
  const auto start = [&] { client.emplace(StartClient(folder, kArenaBytes, 9, kSteps, "looks")); };
  Serve(GetParam(), folder, kArenaBytes, start, [&](Session& session) {
    LoanTraffic traffic(session, 10, {.peers_write = GetParam().peers_write});
    EXPECT_OK(RunSteps(traffic, kSteps));
    EXPECT_EQ(client->Hear(), "none");
    const SharedPages here = SharedPages::Now();
    EXPECT_EQ(here.private_addresses, "");
    EXPECT_GT(here.words, 100'000u);
    client->Tell("go on");
    EXPECT_OK(traffic.Finish());
    EXPECT_EQ(client->Hear(), "OK");
    EXPECT_EQ(SharedPages::Now().private_addresses, "") << "in what was freed";
    // But where its thread keeps its locks: as long as it has one.
    SLUICE_ASSIGN_OR_RETURN(const auto object, ArenaOf(session).Construct<ModelObject>(11, 100));
    {
      SLUICE_ASSIGN_OR_RETURN(const shm::RobustLock lock, object->mutex.Lock(TimeLimit()));
      EXPECT_NE(SharedPages::Now().private_addresses, "");
    }
    EXPECT_EQ(SharedPages::Now().private_addresses, "");
    return absl::CancelledError();
  });
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
