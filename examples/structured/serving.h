// Handlers, event loops and many threads.

#ifndef SLUICE_EXAMPLES_STRUCTURED_SERVING_H_
#define SLUICE_EXAMPLES_STRUCTURED_SERVING_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "examples/structured/file_channel.h"

namespace files {

// [guide
// Serves one client. The channel is the last member: it goes first, and with it whatever refers to the others.
class FileServer {
 public:
  // `files` and `log` must outlive this.
  FileServer(FileChannel channel, const Files& files, std::ostream& log);
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;

  // Serves until the client is gone. OK: it closed its end.
  absl::Status Run();

  FileChannel& channel() { return channel_; }

 private:
  const Files& files_;
  std::ostream& log_;
  absl::Status end_;
  FileChannel channel_;
};
// guide]

// Serves all clients by one thread, until the last is gone.
absl::Status RunAll(absl::Span<FileServer* const> servers);

// Reads all files at once. In the order of `names`.
std::vector<absl::StatusOr<std::string>> ReadInThreads(FileChannel& channel, absl::Span<const std::string> names);

// As ServeReads, by `count` threads at once.
void ServeInThreads(FileChannel& channel, const Files& files, int count);

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_SERVING_H_
