#include "ipc_transport/structured/fuzz/message_walk.h"

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr size_t kWordBytes = 8;
// What an exception costs, in steps.
constexpr size_t kExceptionSteps = 500;

void ReadBytes(kj::ArrayPtr<const capnp::byte> bytes) {
  uint8_t sum = 0;
  for (const capnp::byte byte : bytes) sum += byte;
  volatile uint8_t result = sum;  // So that they are read.
  static_cast<void>(result);
}

}  // namespace

bool MessageWalk::Step(size_t steps) {
  steps_ -= std::min(steps, steps_);
  return steps_ != 0;
}

void MessageWalk::ReadUntyped(capnp::AnyStruct::Reader value) {
  const auto data = value.getDataSection();
  if (!Step(1 + data.size() / kWordBytes)) return;
  ReadBytes(data);
  for (const capnp::AnyPointer::Reader pointer : value.getPointerSection()) ReadPointer(pointer);
}

void MessageWalk::ReadPointer(capnp::AnyPointer::Reader pointer) {
  if (!Step(1)) return;
  switch (pointer.getPointerType()) {
    case capnp::PointerType::NULL_:
    case capnp::PointerType::CAPABILITY:
      return;
    case capnp::PointerType::STRUCT:
      return ReadUntyped(pointer.getAs<capnp::AnyStruct>());
    case capnp::PointerType::LIST:
      return ReadList(pointer.getAs<capnp::AnyList>());
  }
}

void MessageWalk::ReadList(capnp::AnyList::Reader list) {
  switch (list.getElementSize()) {
    case capnp::ElementSize::POINTER:
      for (const capnp::AnyPointer::Reader pointer : list.as<capnp::List<capnp::AnyPointer>>()) {
        if (!has_steps_left()) return;
        ReadPointer(pointer);
      }
      return;
    case capnp::ElementSize::INLINE_COMPOSITE:
      for (const capnp::AnyStruct::Reader value : list.as<capnp::List<capnp::AnyStruct>>()) {
        if (!has_steps_left()) return;
        ReadUntyped(value);
      }
      return;
    default:
      const auto bytes = list.getRawBytes();
      if (Step(1 + bytes.size() / kWordBytes)) ReadBytes(bytes);
  }
}

void MessageWalk::ReadTyped(capnp::DynamicStruct::Reader value) {
  const capnp::StructSchema schema = value.getSchema();
  for (const capnp::StructSchema::Field field : schema.getNonUnionFields()) {
    if (!Step(1)) return;
    Try([&] { ReadValue(value.get(field)); });
  }
  Try([&] {
    KJ_IF_MAYBE (field, value.which()) {
      ReadValue(value.get(*field));
    }
  });
}

void MessageWalk::ReadValue(const capnp::DynamicValue::Reader& value) {
  switch (value.getType()) {
    case capnp::DynamicValue::TEXT: {
      const auto text = value.as<capnp::Text>();
      if (Step(1 + text.size() / kWordBytes)) ReadBytes(text.asBytes());
      return;
    }
    case capnp::DynamicValue::DATA: {
      const auto data = value.as<capnp::Data>();
      if (Step(1 + data.size() / kWordBytes)) ReadBytes(data);
      return;
    }
    case capnp::DynamicValue::LIST: {
      const auto list = value.as<capnp::DynamicList>();
      for (uint32_t i = 0; i < list.size() && Step(1); ++i) {
        Try([&] { ReadValue(list[i]); });
      }
      return;
    }
    case capnp::DynamicValue::STRUCT:
      return ReadTyped(value.as<capnp::DynamicStruct>());
    case capnp::DynamicValue::ANY_POINTER:
      return ReadPointer(value.as<capnp::AnyPointer>());
    default:
      Step(1);
  }
}

template <typename Read>
void MessageWalk::Try(Read read) {
  try {
    read();
  } catch (const kj::Exception&) {
    Step(kExceptionSteps);
  }
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
