#include "ipc_transport/structured/internal/debug_text.h"

#include <capnp/dynamic.h>
#include <kj/exception.h>

#include <cstdint>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Of one text or data, and of one reason why something is malformed.
constexpr size_t kMaxBlobBytes = 256;
constexpr size_t kMaxReasonBytes = 200;
// As deep as a received message may be.
constexpr int kMaxDepth = 64;

class Printer {
 public:
  explicit Printer(size_t max_bytes) : max_bytes_(max_bytes) {}

  void Print(capnp::DynamicStruct::Reader value) {
    Guarded([&] { PrintStruct(value, 0); });
  }

  std::string Finish(size_t message_bytes) {
    if (!IsFull()) return std::move(text_);
    text_.resize(max_bytes_);
    absl::StrAppend(&text_, "... (cut here; the message has ", message_bytes, " bytes)");
    return std::move(text_);
  }

 private:
  bool IsFull() const { return text_.size() > max_bytes_; }

  template <typename Action>
  void Guarded(const Action& action) {
    try {
      action();
    } catch (const kj::Exception& error) {
      const absl::string_view reason = error.getDescription().cStr();
      absl::StrAppend(&text_, "<malformed: ", absl::CHexEscape(reason.substr(0, kMaxReasonBytes)), ">");
    }
  }

  void PrintStruct(capnp::DynamicStruct::Reader value, int depth) {
    if (depth > kMaxDepth) {
      absl::StrAppend(&text_, "(...)");
      return;
    }
    const auto schema = value.getSchema();
    const kj::Maybe<capnp::StructSchema::Field> set = value.which();
    absl::StrAppend(&text_, "(");
    bool is_first = true;
    for (const auto field : schema.getFields()) {
      if (IsFull()) return;
      const uint16_t discriminant = field.getProto().getDiscriminantValue();
      const bool is_member = discriminant != capnp::schema::Field::NO_DISCRIMINANT;
      bool is_set = false;
      KJ_IF_MAYBE (member, set) is_set = *member == field;
      if (is_member && !is_set) continue;
      // Null pointers are passed over, but for members that only their name tells of.
      if (!value.has(field) && (!is_member || discriminant == 0)) continue;
      absl::StrAppend(&text_, is_first ? "" : ", ", field.getProto().getName().cStr(), " = ");
      is_first = false;
      Guarded([&] { PrintValue(value.get(field), depth + 1); });
    }
    absl::StrAppend(&text_, ")");
  }

  void PrintList(capnp::DynamicList::Reader value, int depth) {
    absl::StrAppend(&text_, "[");
    for (unsigned i = 0; i < value.size(); ++i) {
      if (IsFull()) return;
      if (i > 0) absl::StrAppend(&text_, ", ");
      Guarded([&] { PrintValue(value[i], depth + 1); });
    }
    absl::StrAppend(&text_, "]");
  }

  void PrintBlob(absl::string_view bytes) {
    absl::StrAppend(&text_, "\"", absl::CHexEscape(bytes.substr(0, kMaxBlobBytes)), "\"");
    if (bytes.size() > kMaxBlobBytes) absl::StrAppend(&text_, "... (", bytes.size() - kMaxBlobBytes, " more bytes)");
  }

  void PrintValue(capnp::DynamicValue::Reader value, int depth) {
    switch (value.getType()) {
      case capnp::DynamicValue::VOID:
        absl::StrAppend(&text_, "void");
        return;
      case capnp::DynamicValue::BOOL:
        absl::StrAppend(&text_, value.as<bool>() ? "true" : "false");
        return;
      case capnp::DynamicValue::INT:
        absl::StrAppend(&text_, value.as<int64_t>());
        return;
      case capnp::DynamicValue::UINT:
        absl::StrAppend(&text_, value.as<uint64_t>());
        return;
      case capnp::DynamicValue::FLOAT:
        absl::StrAppend(&text_, value.as<double>());
        return;
      case capnp::DynamicValue::TEXT: {
        const auto text = value.as<capnp::Text>();
        return PrintBlob({text.begin(), text.size()});
      }
      case capnp::DynamicValue::DATA: {
        const auto data = value.as<capnp::Data>();
        return PrintBlob({reinterpret_cast<const char*>(data.begin()), data.size()});
      }
      case capnp::DynamicValue::LIST:
        return PrintList(value.as<capnp::DynamicList>(), depth);
      case capnp::DynamicValue::ENUM:
        return PrintEnum(value.as<capnp::DynamicEnum>());
      case capnp::DynamicValue::STRUCT:
        return PrintStruct(value.as<capnp::DynamicStruct>(), depth);
      case capnp::DynamicValue::CAPABILITY:
        absl::StrAppend(&text_, "<capability>");
        return;
      case capnp::DynamicValue::ANY_POINTER:
        absl::StrAppend(&text_, "<any pointer>");
        return;
      default:
        absl::StrAppend(&text_, "<unknown>");
        return;
    }
  }

  void PrintEnum(capnp::DynamicEnum value) {
    KJ_IF_MAYBE (enumerant, value.getEnumerant()) {
      absl::StrAppend(&text_, enumerant->getProto().getName().cStr());
    } else {
      absl::StrAppend(&text_, "(", value.getRaw(), ")");
    }
  }

  const size_t max_bytes_;
  std::string text_;
};

}  // namespace

std::string DebugText(capnp::AnyStruct::Reader message, capnp::StructSchema schema, size_t max_bytes,
                      size_t message_bytes) {
  Printer printer(max_bytes);
  printer.Print(message.as<capnp::DynamicStruct>(schema));
  return printer.Finish(message_bytes);
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
