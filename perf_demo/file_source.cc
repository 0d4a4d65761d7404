#include "perf_demo/file_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "perf_demo/sizes.h"

namespace cache_demo {
namespace {

// How many names an error's text lists.
constexpr size_t kListedNames = 10;

// Word `index` of a made file: different everywhere, and quicker to make than memory is to fill.
uint64_t MadeWord(uint64_t file_bytes, uint64_t index) {
  const uint64_t mixed = (file_bytes + index) * 0x9E3779B97F4A7C15;
  return mixed ^ (mixed >> 32);
}

void MakeContent(uint64_t file_bytes, uint64_t offset, absl::Span<std::byte> buffer) {
  uint64_t index = offset / sizeof(uint64_t);
  while (!buffer.empty()) {
    const uint64_t word = MadeWord(file_bytes, index++);
    const size_t bytes = std::min(buffer.size(), sizeof(word));
    std::memcpy(buffer.data(), &word, bytes);
    buffer.remove_prefix(bytes);
  }
}

// The names in an open folder, "." and ".." included.
absl::StatusOr<std::vector<std::string>> NamesIn(ipc::FdView folder, const std::string& path) {
  // A descriptor of its own, since reading moves it and closedir closes it.
  ipc::Fd listing(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const stream = listing.valid() ? fdopendir(listing.get()) : nullptr;
  if (stream == nullptr) return ipc::FromErrno(errno, absl::StrCat("list folder ", path));
  std::ignore = listing.Release();
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(stream)) names.push_back(entry->d_name);
  closedir(stream);
  return names;
}

absl::Status CheckEntry(const FileSource::Entry& entry) {
  if (absl::c_any_of(entry.name, absl::ascii_iscntrl)) {
    return absl::InvalidArgumentError(
        absl::StrCat("file \"", absl::CHexEscape(entry.name), "\" has control characters in its name; rename it"));
  }
  if (entry.bytes > kMaxFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("file ", entry.name, " has ", entry.bytes, " bytes; at most ",
                                                   FormatSize(kMaxFileBytes), " are served"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status File::Read(uint64_t offset, absl::Span<std::byte> buffer) const {
  if (!fd_.valid()) {
    MakeContent(bytes_, offset, buffer);
    return absl::OkStatus();
  }
  while (!buffer.empty()) {
    const ssize_t bytes = pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return ipc::FromErrno(errno, absl::StrCat("read file ", name_));
    if (bytes == 0) {
      return absl::DataLossError(
          absl::StrCat("file ", name_, " had ", bytes_, " bytes and ends at ", offset, " now; leave it alone"));
    }
    offset += bytes;
    buffer.remove_prefix(bytes);
  }
  return absl::OkStatus();
}

FileSource FileSource::OfSizes(absl::Span<const uint64_t> sizes) {
  FileSource source;
  for (const uint64_t bytes : sizes) source.entries_.push_back({.name = FormatSize(bytes), .bytes = bytes});
  return source;
}

absl::StatusOr<FileSource> FileSource::OfFolder(const std::string& path) {
  FileSource source;
  auto folder = std::make_shared<const ipc::Fd>(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder->valid()) return ipc::FromErrno(errno, absl::StrCat("open folder ", path));
  SLUICE_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*folder, path));
  for (const std::string& name : names) {
    struct stat found;
    const bool is_file =
        fstatat(folder->get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode);
    if (!is_file) continue;
    source.entries_.push_back({.name = name, .bytes = static_cast<uint64_t>(found.st_size)});
    SLUICE_RETURN_IF_ERROR(CheckEntry(source.entries_.back()));
  }
  if (source.entries_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("folder ", path, " has no files; name one that has"));
  }
  absl::c_sort(source.entries_,
               [](const Entry& a, const Entry& b) { return std::tie(a.bytes, a.name) < std::tie(b.bytes, b.name); });
  source.folder_ = std::move(folder);
  return source;
}

uint64_t FileSource::total_bytes() const {
  uint64_t total = 0;
  for (const Entry& entry : entries_) total += entry.bytes;
  return total;
}

absl::StatusOr<File> FileSource::Open(absl::string_view name) const {
  const auto entry = absl::c_find_if(entries_, [&](const Entry& candidate) { return candidate.name == name; });
  if (entry == entries_.end()) {
    const auto listed = absl::MakeConstSpan(entries_).first(std::min(entries_.size(), kListedNames));
    const std::string names =
        absl::StrJoin(listed, ", ", [](std::string* out, const Entry& known) { absl::StrAppend(out, known.name); });
    return absl::InvalidArgumentError(absl::StrCat("there is no file \"", absl::CHexEscape(name), "\"; there are: ",
                                                   names, listed.size() < entries_.size() ? ", ..." : ""));
  }
  if (folder_ == nullptr) return File(entry->name, entry->bytes, ipc::Fd());
  ipc::Fd fd(openat(folder_->get(), entry->name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat found;
  if (!fd.valid() || fstat(fd.get(), &found) != 0) {
    return ipc::FromErrno(errno, absl::StrCat("open file ", entry->name));
  }
  const Entry now = {.name = entry->name, .bytes = static_cast<uint64_t>(found.st_size)};
  if (!S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(now.name, " is no file any more; leave the folder alone"));
  }
  SLUICE_RETURN_IF_ERROR(CheckEntry(now));
  return File(now.name, now.bytes, std::move(fd));
}

}  // namespace cache_demo
