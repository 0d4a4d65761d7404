#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/status.h"
#include "tools/ipcctl/listing.h"

namespace ipcctl {
namespace {

namespace fs = std::filesystem;

// The paths in `folder`, sorted; what cannot be read is a problem.
std::vector<std::string> EntriesOf(const std::string& folder, Listing& listing) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    paths.push_back(entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    listing.problems.push_back({.path = folder, .status = ipc::FromErrno(error.value(), "look into it")});
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> DefaultFolders(Listing& listing) {
  std::vector<std::string> folders = {"/run/sluice"};
  for (const std::string& path : EntriesOf("/tmp", listing)) {
    if (absl::StartsWith(path, "/tmp/sluice-")) folders.push_back(path);
  }
  return folders;
}

}  // namespace

Listing AskAll(absl::string_view folder, absl::Duration limit) {
  Listing listing;
  const std::vector<std::string> folders =
      folder.empty() ? DefaultFolders(listing) : std::vector<std::string>{std::string(folder)};
  for (const std::string& place : folders) {
    for (const std::string& path : EntriesOf(place, listing)) {
      if (!absl::EndsWith(path, ".sock")) continue;
      absl::StatusOr<ipc::internal::AnsweredInquiry> answer = ipc::internal::AskServer(path, limit);
      if (answer.ok()) {
        listing.servers.push_back({.socket = path, .answer = *std::move(answer)});
      } else if (ipc::ReasonOf(answer.status()) != ipc::Reason::kNoServer) {
        listing.problems.push_back({.path = path, .status = answer.status()});
      }
    }
  }
  listing.taken_nanos = ipc::internal::NowNanos();
  return listing;
}

}  // namespace ipcctl
