// Notifications, requests and answers.

#ifndef SLUICE_EXAMPLES_STRUCTURED_ASKING_H_
#define SLUICE_EXAMPLES_STRUCTURED_ASKING_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/structured/file_channel.h"
#include "examples/structured/files.capnp.h"
#include "ipc_transport/structured/message.h"

namespace files {

// Notifies the service of a line for its log.
absl::Status Log(FileChannel& channel, const std::string& line);

// Writes what is logged, until the peer closes its end.
absl::Status WriteLog(FileChannel& channel, std::ostream& out);

// Waits for the text of a small file. NOT_FOUND: the service has none of this name.
absl::StatusOr<std::string> Read(FileChannel& channel, const std::string& name);

// The same, but `then` gets the text, in `FileChannel::Dispatch`.
absl::Status ReadThen(FileChannel& channel, const std::string& name,
                      absl::AnyInvocable<void(absl::StatusOr<std::string>)> then);

// The service's side of both.
absl::Status AnswerRead(FileChannel& channel, const Files& files, ipc::Incoming<Body>& request);

// Answers all of them, until the peer closes its end.
absl::Status ServeReads(FileChannel& channel, const Files& files);

// The names that begin with `prefix`.
absl::StatusOr<std::vector<std::string>> List(FileChannel& channel, const std::string& prefix);

// The service's side of it.
absl::Status AnswerList(FileChannel& channel, const Files& files, ipc::Incoming<Body>& request);

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_ASKING_H_
