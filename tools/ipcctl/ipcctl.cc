// Lists the live apps, their sessions and channels, and what those have counted:
//
//   ipcctl                    # All servers in /run/sluice and /tmp/sluice-*.
//   ipcctl --watch=1          # Again each second, with rates.
//
// Exit codes: see listing.h.

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tools/ipcctl/listing.h"

ABSL_FLAG(std::string, run_folder, "", "Where the servers' sockets lie. Empty: /run/sluice and /tmp/sluice-*.");
ABSL_FLAG(bool, json, false, "Print one JSON object in a line instead of tables.");
ABSL_FLAG(double, watch, 0, "List again after so many seconds, with rates. 0: once.");
ABSL_FLAG(uint64_t, rounds, 0, "With --watch: end after so many listings. 0: never.");
ABSL_FLAG(double, timeout, 1, "Seconds that each server has to answer.");

namespace ipcctl {
namespace {

constexpr int kBadArguments = 2;

// Between nothing and an hour.
bool IsInterval(double seconds) { return std::isfinite(seconds) && seconds >= 0 && seconds <= 3600; }

void Print(const Listing& listing, const Listing* before, bool json, bool clear) {
  if (clear) std::fputs("\033[H\033[2J", stdout);
  std::fputs((json ? ToJson(listing, before) : ToTable(listing, before)).c_str(), stdout);
  std::fflush(stdout);
  std::fputs(ProblemsOf(listing).c_str(), stderr);
}

int Run(const std::vector<char*>& arguments) {
  const absl::Duration limit = absl::Seconds(absl::GetFlag(FLAGS_timeout));
  const double watch = absl::GetFlag(FLAGS_watch);
  if (arguments.size() > 1 || !IsInterval(watch) || !IsInterval(absl::GetFlag(FLAGS_timeout))) {
    std::fputs("ipcctl: takes flags only, and seconds from 0 to 3600; see ipcctl --help\n", stderr);
    return kBadArguments;
  }
  const bool json = absl::GetFlag(FLAGS_json);
  const std::string folder = absl::GetFlag(FLAGS_run_folder);
  std::optional<Listing> before;
  for (uint64_t round = 1;; ++round) {
    Listing listing = AskAll(folder, limit);
    Print(listing, before.has_value() ? &*before : nullptr, json, watch > 0 && !json && isatty(STDOUT_FILENO) == 1);
    if (watch == 0 || round == absl::GetFlag(FLAGS_rounds)) return ExitCodeOf(listing);
    before = std::move(listing);
    absl::SleepFor(absl::Seconds(watch));
  }
}

}  // namespace
}  // namespace ipcctl

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("lists live apps, sessions and channels");
  return ipcctl::Run(absl::ParseCommandLine(argc, argv));
}
