#include "perf_demo/demo.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "perf_demo/program.h"

namespace cache_demo {
namespace {

constexpr absl::Duration kStartTime = absl::Seconds(30);
constexpr absl::Duration kEndTime = absl::Seconds(5);
// How long a server that is the reason of a client's failure may take to be seen as ended.
constexpr absl::Duration kReasonTime = absl::Milliseconds(500);

std::vector<std::string> Concatenate(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

absl::StatusOr<Program> StartServer(const std::string& mode_flag, const DemoOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(Program server,
                          Program::Start(options.server_program, Concatenate({mode_flag}, options.server_flags),
                                         options.placement.server_processor));
  // It says so when it listens.
  SLUICE_ASSIGN_OR_RETURN(const std::optional<std::string> line, server.ReadLine(kStartTime));
  if (!line.has_value()) {
    SLUICE_RETURN_IF_ERROR(server.Wait(kEndTime));
    return absl::InternalError("the server ended before it was asked");
  }
  return server;
}

absl::StatusOr<Program> StartClient(const std::string& mode_flag, const DemoOptions& options) {
  const std::vector<std::string> flags = Concatenate({mode_flag, "--format=tsv"}, options.client_flags);
  return Program::Start(options.client_program, Concatenate(Concatenate(flags, {"--"}), options.files),
                        options.placement.client_processor);
}

// The rows that the client prints until it ends, one for each of so many files.
absl::StatusOr<std::vector<Result>> Collect(Program& client, size_t files, absl::FunctionRef<void()> on_result) {
  std::vector<Result> results;
  while (true) {
    // It has deadlines of its own for whatever it waits for.
    SLUICE_ASSIGN_OR_RETURN(const std::optional<std::string> line, client.ReadLine(ipc::Deadline::Never()));
    if (!line.has_value()) break;
    if (absl::StrCat(*line, "\n") == TsvHeader()) continue;
    SLUICE_ASSIGN_OR_RETURN(Result result, ParseTsvRow(*line));
    results.push_back(std::move(result));
    on_result();
  }
  SLUICE_RETURN_IF_ERROR(client.Wait(kEndTime));
  if (results.size() != files) {
    return absl::InternalError(absl::StrCat("the client measured ", results.size(), " of ", files, " files"));
  }
  return results;
}

absl::StatusOr<std::vector<Result>> Run(const std::string& mode_flag, const DemoOptions& options,
                                        absl::FunctionRef<void()> on_result) {
  SLUICE_ASSIGN_OR_RETURN(Program server, StartServer(mode_flag, options));
  SLUICE_ASSIGN_OR_RETURN(Program client, StartClient(mode_flag, options));
  absl::StatusOr<std::vector<Result>> results = Collect(client, options.files.size(), on_result);
  if (absl::IsCancelled(results.status())) return results;
  const absl::Status served = server.Wait(results.ok() ? kEndTime : kReasonTime);
  if (results.ok()) return served.ok() ? std::move(results) : served;
  // A server that ended without a word was killed, which is the reason; else the client knows best.
  const bool server_was_killed = absl::IsAborted(served) && server.errors().empty();
  return server_was_killed ? served : std::move(results);
}

}  // namespace

absl::StatusOr<std::vector<Result>> RunMode(Mode mode, const DemoOptions& options,
                                            absl::FunctionRef<void()> on_result) {
  absl::StatusOr<std::vector<Result>> results = Run(absl::StrCat("--mode=", Name(mode)), options, on_result);
  if (!results.ok()) return ipc::WithContext(results.status(), absl::StrCat("mode ", Name(mode)));
  return results;
}

}  // namespace cache_demo
