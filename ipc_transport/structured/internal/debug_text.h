// A message as text, for people.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_DEBUG_TEXT_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_DEBUG_TEXT_H_

#include <capnp/any.h>
#include <capnp/schema.h>

#include <cstddef>
#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// In Cap'n Proto's text format: `(number = 7, parts = ["x", "y"])`. Long texts and data are shortened, telling how many
// bytes follow. What lies beyond `max_bytes` of text is left out, and the text ends in
// "... (cut here; the message has <message_bytes> bytes)". Takes time and memory in proportion to `max_bytes`, however
// large the message is. What is malformed is named in its place. Throws nothing.
std::string DebugText(capnp::AnyStruct::Reader message, capnp::StructSchema schema, size_t max_bytes,
                      size_t message_bytes);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_DEBUG_TEXT_H_
