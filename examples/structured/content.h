// Descriptors, files of any size, and one message for many receivers.

#ifndef SLUICE_EXAMPLES_STRUCTURED_CONTENT_H_
#define SLUICE_EXAMPLES_STRUCTURED_CONTENT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "examples/structured/file_channel.h"
#include "examples/structured/files.capnp.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/fd.h"

namespace files {

// Asks for a file, and gets a descriptor of it. NOT_FOUND: the service has none of this name, or cannot open it.
absl::StatusOr<ipc::Fd> Open(FileChannel& channel, const std::string& name);

// The service's side of it; `paths` says where the files of each name lie.
absl::Status AnswerOpen(FileChannel& channel, const Files& paths, ipc::Incoming<Body>& request);

// Sends `bytes` bytes, in parts that `fill` fills; each begins at `offset`.
absl::Status SendContent(FileChannel& channel, uint64_t bytes,
                         absl::FunctionRef<void(uint64_t offset, absl::Span<std::byte> part)> fill);

// Receives them; `use` sees the parts in order. Returns how many bytes came.
absl::StatusOr<uint64_t> ReceiveContent(FileChannel& channel,
                                        absl::FunctionRef<void(uint64_t offset, absl::Span<const std::byte> part)> use);

// Sends one line to all.
absl::Status LogToAll(absl::Span<FileChannel* const> channels, const std::string& line);

}  // namespace files

#endif  // SLUICE_EXAMPLES_STRUCTURED_CONTENT_H_
