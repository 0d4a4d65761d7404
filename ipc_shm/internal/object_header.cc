#include "ipc_shm/internal/object_header.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

size_t AlignmentOf(const ObjectType& type) { return std::max(type.alignment, ObjectHeader::kMinAlignment); }

// What a header looks like to a borrower: copied once, so that nothing that was checked changes.
struct HeaderCopy {
  uint64_t words[sizeof(ObjectHeader) / sizeof(uint64_t)];

  uint32_t generation() const { return static_cast<uint32_t>(words[0]); }
  uint32_t magic() const { return static_cast<uint32_t>(words[0] >> 32); }
  uint64_t type() const { return words[1]; }
  uint64_t bytes() const { return words[2]; }
  uint64_t alignment() const { return words[3]; }
  uint64_t address() const { return words[4]; }
  std::string type_name() const {
    char name[ObjectHeader::kNameBytes];
    std::memcpy(name, &words[5], sizeof(name));
    std::string text(name, strnlen(name, sizeof(name)));
    for (char& letter : text) {
      if (letter < ' ' || letter > '~') letter = '?';
    }
    return text;
  }
};
static_assert(sizeof(HeaderCopy) == sizeof(ObjectHeader));
static_assert(offsetof(ObjectHeader, type) == 8 && offsetof(ObjectHeader, type_name) == 40);

// Reads whatever lies there, which may be no header, or may be written meanwhile by a peer that breaks the rules.
ABSL_ATTRIBUTE_NO_SANITIZE_ADDRESS ABSL_ATTRIBUTE_NO_SANITIZE_THREAD HeaderCopy CopyHeader(const std::byte* header) {
  HeaderCopy copy;
  const auto* const words = reinterpret_cast<const volatile uint64_t*>(header);
  for (size_t i = 0; i < sizeof(copy.words) / sizeof(copy.words[0]); ++i) copy.words[i] = words[i];
  return copy;
}

}  // namespace

ObjectPlacement PlacementOf(const ObjectType& type) {
  const size_t alignment = AlignmentOf(type);
  const size_t offset = (sizeof(ObjectHeader) + alignment - 1) / alignment * alignment;
  return {.block_bytes = offset + type.bytes, .block_alignment = alignment, .object_offset = offset};
}

ObjectHeader& MakeHeader(void* object, const ObjectType& type) {
  auto* const header = new (static_cast<std::byte*>(object) - sizeof(ObjectHeader)) ObjectHeader();
  header->type = type.id;
  header->bytes = type.bytes;
  header->alignment = type.alignment;
  header->address = reinterpret_cast<uintptr_t>(object);
  const absl::string_view end =
      type.name.substr(type.name.size() - std::min(type.name.size(), ObjectHeader::kNameBytes));
  std::memcpy(header->type_name, end.data(), end.size());
  return *header;
}

absl::StatusOr<std::byte*> FindLent(const RegionWindow& window, const shm::LoanRef& ref, const ObjectType& type) {
  const bool lies_in_window =
      ref.offset >= sizeof(ObjectHeader) && window.Contains(ref.offset - sizeof(ObjectHeader), sizeof(ObjectHeader));
  if (!lies_in_window || ref.offset % ObjectHeader::kMinAlignment != 0) {
    return absl::DataLossError(absl::StrCat("the peer lent an object at ", ref.offset,
                                            ", which does not lie in its memory at ", window.offset, " + ",
                                            window.bytes));
  }
  std::byte* const object = window.region->data() + ref.offset;
  const HeaderCopy header = CopyHeader(object - sizeof(ObjectHeader));
  if (header.magic() != ObjectHeader::kMagic || header.generation() == 0 ||
      header.generation() != ref.object_generation) {
    return absl::DataLossError(absl::StrCat("the peer lent an object at ", ref.offset, " of generation ",
                                            ref.object_generation, "; there is none, or it was destroyed"));
  }
  if (header.type() != type.id || header.bytes() != type.bytes || header.alignment() != type.alignment) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the peer's object is a '", header.type_name(), "' of ", header.bytes(), " bytes (", absl::Hex(header.type()),
        "), to be borrowed as a '", type.name, "' of ", type.bytes, " bytes (", absl::Hex(type.id), ")"));
  }
  if (ref.offset % AlignmentOf(type) != 0 || !window.Contains(ref.offset, type.bytes)) {
    return absl::DataLossError(absl::StrCat("the peer lent an object of ", type.bytes, " bytes at ", ref.offset,
                                            ", which does not lie in its memory at ", window.offset, " + ",
                                            window.bytes, ", or not aligned to ", type.alignment));
  }
  if (header.address() != reinterpret_cast<uintptr_t>(object)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the peer's object lies at ", absl::Hex(header.address()), " there and at ",
                     absl::Hex(reinterpret_cast<uintptr_t>(object)),
                     " here: the session's memory has no equal address in both processes, and objects need one"));
  }
  return object;
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
