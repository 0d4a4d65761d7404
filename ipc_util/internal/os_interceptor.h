// What os.cc asks before each call where it is part of `:os_testing`.

#ifndef SLUICE_IPC_UTIL_INTERNAL_OS_INTERCEPTOR_H_
#define SLUICE_IPC_UTIL_INTERNAL_OS_INTERCEPTOR_H_

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <vector>

namespace ipc {
inline namespace sluice_0 {
namespace internal::os {

// What a test wants of a call.
struct Verdict {
  int error = 0;                          // Not 0: the call fails with it, and the kernel is not asked.
  std::optional<size_t> bytes_at_most{};  // What is sent or received of a message.
};

// Counts the call, and says what becomes of it. Leaves errno alone.
Verdict JudgeCall(const char* function);

// Records the point and does what the test wants there; may not return.
void ReachPoint(const char* name);

template <typename F>
auto Call(const char* function, F call) -> decltype(call()) {
  const Verdict verdict = JudgeCall(function);
  if (verdict.error == 0) return call();
  errno = verdict.error;
  if constexpr (std::is_pointer_v<decltype(call())>) {
    return reinterpret_cast<decltype(call())>(-1);  // MAP_FAILED
  } else {
    return -1;
  }
}

// The first `bytes` bytes of what `message` points to.
inline std::vector<iovec> FirstBytes(const msghdr& message, size_t bytes) {
  std::vector<iovec> parts;
  for (size_t i = 0; i < message.msg_iovlen && bytes > 0; ++i) {
    iovec part = message.msg_iov[i];
    if (part.iov_len > bytes) part.iov_len = bytes;
    bytes -= part.iov_len;
    parts.push_back(part);
  }
  return parts;
}

// `Message` is const for sending.
template <typename Message, typename F>
ssize_t Transfer(const char* function, Message* message, F call) {
  const Verdict verdict = JudgeCall(function);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  if (!verdict.bytes_at_most.has_value()) return call(message);
  std::vector<iovec> parts = FirstBytes(*message, *verdict.bytes_at_most);
  msghdr cut = *message;
  cut.msg_iov = parts.data();
  cut.msg_iovlen = parts.size();
  const ssize_t result = call(&cut);
  if constexpr (!std::is_const_v<Message>) {
    message->msg_namelen = cut.msg_namelen;
    message->msg_controllen = cut.msg_controllen;
    message->msg_flags = cut.msg_flags;
  }
  return result;
}

}  // namespace internal::os
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_INTERNAL_OS_INTERCEPTOR_H_
