// Versions of a schema that were never compiled: the generated code of two of them would not link into one program.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_SCHEMAS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_SCHEMAS_H_

#include <capnp/schema-parser.h>
#include <capnp/schema.h>
#include <kj/filesystem.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// The struct T of a schema file with this text; lives as long as this.
class ParsedSchema {
 public:
  explicit ParsedSchema(const std::string& text) : folder_(kj::newInMemoryDirectory(kj::nullClock())) {
    const kj::Path path("test.capnp");
    folder_->openFile(path, kj::WriteMode::CREATE)->writeAll(absl::StrCat("@0xa93fc509624c72d9;\n", text).c_str());
    type_ = parser_.parseFromDirectory(*folder_, path.clone(), nullptr).getNested("T").asStruct();
  }

  // Of `struct T {fields}`, which may declare further types.
  static ParsedSchema OfFields(const std::string& fields) {
    return ParsedSchema(absl::StrCat("struct T @0xdd7b92bd8fc037a2 {", fields, "}"));
  }

  capnp::StructSchema type() const { return type_; }

 private:
  kj::Own<const kj::Directory> folder_;
  capnp::SchemaParser parser_;
  capnp::StructSchema type_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_SCHEMAS_H_
