#include "ipc_transport/testing/messages.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

Bytes MakeMessage(size_t size, uint32_t seed) {
  Bytes message(size);
  uint32_t value = seed * 2654435761u + 1;
  for (std::byte& byte : message) {
    value = value * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(value >> 24);
  }
  return message;
}

absl::StatusOr<Bytes> ReceiveMessage(Pipe& pipe, std::vector<Fd>* descriptors) {
  Bytes buffer(pipe.max_message_bytes());
  absl::StatusOr<size_t> size = pipe.Receive(absl::MakeSpan(buffer), descriptors, TimeLimit());
  if (!size.ok()) return size.status();
  buffer.resize(*size);
  return buffer;
}

uint32_t Fill(Pipe& pipe, size_t size) {
  for (uint32_t sent = 0;; ++sent) {
    const absl::StatusOr<bool> result = pipe.TrySend(MakeMessage(size, sent));
    EXPECT_THAT(result, IsOk());
    if (!result.ok() || !*result) return sent;
  }
}

Fd FileWith(absl::string_view text) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  return Fd(ends[0]);
}

std::string ReadAll(FdView fd) {
  char text[64];
  const ssize_t bytes = read(fd.get(), text, sizeof(text));
  return std::string(text, std::max<ssize_t>(0, bytes));
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
