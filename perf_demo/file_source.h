// The files that the server holds: made ones of given sizes, or those of a folder.

#ifndef SLUICE_PERF_DEMO_FILE_SOURCE_H_
#define SLUICE_PERF_DEMO_FILE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ipc_util/fd.h"

namespace cache_demo {

// One file, open. Move-only; one thread.
class File {
 public:
  const std::string& name() const { return name_; }
  uint64_t bytes() const { return bytes_; }

  // Fills `buffer` from `offset`, a multiple of 8; all of it lies within the file.
  // DATA_LOSS: the file has become shorter since it was opened.
  absl::Status Read(uint64_t offset, absl::Span<std::byte> buffer) const;

 private:
  friend class FileSource;
  File(std::string name, uint64_t bytes, ipc::Fd fd) : name_(std::move(name)), bytes_(bytes), fd_(std::move(fd)) {}

  std::string name_;
  uint64_t bytes_;
  ipc::Fd fd_;  // Invalid: the content is made.
};

// Copies share the folder. Any thread.
class FileSource {
 public:
  struct Entry {
    std::string name;
    uint64_t bytes = 0;
  };

  // Files named by their sizes ("100KB"), whose content depends on the size and the position alone.
  static FileSource OfSizes(absl::Span<const uint64_t> sizes);

  // The regular files directly in the folder at `path`, the smallest first.
  // UNAVAILABLE, PERMISSION_DENIED: it cannot be read. INVALID_ARGUMENT: there is no file, a name has control
  // characters, or a file is above `kMaxFileBytes`.
  static absl::StatusOr<FileSource> OfFolder(const std::string& path);

  const std::vector<Entry>& entries() const { return entries_; }
  uint64_t total_bytes() const;

  // INVALID_ARGUMENT: none of the entries. Else as `OfFolder`.
  absl::StatusOr<File> Open(absl::string_view name) const;

 private:
  FileSource() = default;

  std::shared_ptr<const ipc::Fd> folder_;  // Null: made.
  std::vector<Entry> entries_;
};

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_FILE_SOURCE_H_
