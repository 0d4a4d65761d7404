#include "shout.h"

#include <cstddef>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ipc_transport/socket_listener.h"
#include "ipc_transport/socket_pipe.h"

namespace shout {
namespace {

absl::Status SendText(ipc::SocketPipe& pipe, absl::string_view text) {
  return pipe.Send(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size()));
}

absl::StatusOr<std::string> ReceiveText(ipc::SocketPipe& pipe) {
  std::string text(pipe.max_message_bytes(), '\0');
  absl::StatusOr<size_t> bytes = pipe.Receive(absl::MakeSpan(reinterpret_cast<std::byte*>(text.data()), text.size()));
  if (!bytes.ok()) return bytes.status();
  text.resize(*bytes);
  return text;
}

}  // namespace

absl::Status ServeOneClient(const std::string& path) {
  absl::StatusOr<ipc::SocketListener> listener = ipc::SocketListener::Listen(path);
  if (!listener.ok()) return listener.status();
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> pipe = listener->Accept(absl::Seconds(30));
  if (!pipe.ok()) return pipe.status();
  while (true) {
    absl::StatusOr<std::string> text = ReceiveText(**pipe);
    if (absl::IsUnavailable(text.status())) return absl::OkStatus();  // The client has gone.
    if (!text.ok()) return text.status();
    if (absl::Status sent = SendText(**pipe, absl::AsciiStrToUpper(*text)); !sent.ok()) return sent;
  }
}

absl::StatusOr<std::string> Ask(const std::string& path, absl::string_view text) {
  absl::StatusOr<std::unique_ptr<ipc::SocketPipe>> pipe =
      ipc::SocketPipe::Connect(path, absl::Seconds(30), {.wait_for_server = true});
  if (!pipe.ok()) return pipe.status();
  if (absl::Status sent = SendText(**pipe, text); !sent.ok()) return sent;
  return ReceiveText(**pipe);
}

}  // namespace shout
