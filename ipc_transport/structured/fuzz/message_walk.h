// Reads all that a message leads to, in no more than so many steps.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_FUZZ_MESSAGE_WALK_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_FUZZ_MESSAGE_WALK_H_

#include <capnp/any.h>
#include <capnp/dynamic.h>

#include <cstddef>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// A step is a word of data, a pointer, or an element of a list. A message can lead to far more than it holds, by
// pointers to the same place or by elements without a size; those of a cooperating peer are read without a limit, so
// that a reader of another's needs one of its own.
class MessageWalk {
 public:
  explicit MessageWalk(size_t steps) : steps_(steps) {}

  bool has_steps_left() const { return steps_ != 0; }

  // By the pointers alone, in the order in which Cap'n Proto copies. Throws kj::Exception where it would.
  void ReadUntyped(capnp::AnyStruct::Reader value);

  // Every field, as the schema has it. What cannot be read is left out.
  void ReadTyped(capnp::DynamicStruct::Reader value);

 private:
  // False: there are none left.
  bool Step(size_t steps);
  void ReadPointer(capnp::AnyPointer::Reader pointer);
  void ReadList(capnp::AnyList::Reader list);
  void ReadValue(const capnp::DynamicValue::Reader& value);
  template <typename Read>
  void Try(Read read);

  size_t steps_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_FUZZ_MESSAGE_WALK_H_
