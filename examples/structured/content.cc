#include "examples/structured/content.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace files {

// [guide
absl::StatusOr<ipc::Fd> Open(FileChannel& channel, const std::string& name) {
  ipc::Message<Body> request = channel.NewMessage();
  request.body().setOpen(name);
  absl::StatusOr<ipc::Incoming<Body>> answer = channel.Request(std::move(request), absl::Seconds(5));
  if (!answer.ok()) return answer.status();
  if (answer->body().isFailure()) return absl::NotFoundError(answer->body().getFailure().cStr());
  if (answer->descriptors().size() != 1) return absl::InvalidArgumentError("one descriptor was to come");
  return std::move(answer->descriptors()[0]);
}

absl::Status AnswerOpen(FileChannel& channel, const Files& paths, ipc::Incoming<Body>& request) {
  ipc::Message<Body> answer = channel.NewMessage();
  const auto path = paths.find(request.body().getOpen().cStr());
  ipc::Fd file(path == paths.end() ? -1 : open(path->second.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.valid()) {
    answer.body().setOpened();
    if (absl::Status attached = answer.AttachDescriptor(std::move(file)); !attached.ok()) return attached;
  } else {
    answer.body().setFailure("there is no such file");
  }
  return request.Reply(std::move(answer));
}
// guide]

// [guide
absl::Status SendContent(FileChannel& channel, uint64_t bytes,
                         absl::FunctionRef<void(uint64_t offset, absl::Span<std::byte> part)> fill) {
  constexpr uint64_t kPartBytes = uint64_t{256} << 20;  // A Data holds 2^29 - 1 bytes at most.
  ipc::Message<Body> message = channel.NewMessage();
  auto parts = message.body().initContent((bytes + kPartBytes - 1) / kPartBytes);
  for (uint64_t offset = 0; offset < bytes; offset += kPartBytes) {
    capnp::Data::Builder part = parts.init(offset / kPartBytes, std::min(kPartBytes, bytes - offset));
    fill(offset, absl::MakeSpan(reinterpret_cast<std::byte*>(part.begin()), part.size()));
  }
  return channel.Send(std::move(message), absl::Minutes(1));
}
// guide]

// [guide
absl::StatusOr<uint64_t> ReceiveContent(
    FileChannel& channel, absl::FunctionRef<void(uint64_t offset, absl::Span<const std::byte> part)> use) {
  absl::StatusOr<ipc::Incoming<Body>> message = channel.Receive(absl::Minutes(1));
  if (!message.ok()) return message.status();
  if (!message->body().isContent()) return absl::InvalidArgumentError("content was to come");
  uint64_t bytes = 0;
  for (const capnp::Data::Reader part : message->body().getContent()) {
    use(bytes, absl::MakeConstSpan(reinterpret_cast<const std::byte*>(part.begin()), part.size()));
    bytes += part.size();
  }
  return bytes;
}
// guide]

// [guide
absl::Status LogToAll(absl::Span<FileChannel* const> channels, const std::string& line) {
  ipc::Message<Body> message = channels[0]->NewMessage();
  message.body().setLog(line);
  const absl::StatusOr<ipc::FrozenMessage<Body>> frozen = std::move(message).Freeze();
  if (!frozen.ok()) return frozen.status();
  for (FileChannel* const channel : channels) {
    if (absl::Status sent = channel->Send(*frozen); !sent.ok()) return sent;
  }
  return absl::OkStatus();
}
// guide]

}  // namespace files
