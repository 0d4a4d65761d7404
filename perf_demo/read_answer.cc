#include "perf_demo/read_answer.h"

#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ipc_util/internal/status_macros.h"
#include "xxhash.h"

namespace cache_demo {
namespace {

absl::Status VerifyPart(FilePart::Reader part, uint32_t index) {
  const capnp::Data::Reader data = part.getData();
  if (part.getSize() != data.size()) {
    return absl::DataLossError(
        absl::StrCat("part ", index, " of the file has ", data.size(), " bytes; it says ", part.getSize()));
  }
  if (const uint64_t hash = XXH3_64bits(data.begin(), data.size()); hash != part.getHash()) {
    return absl::DataLossError(absl::StrFormat("part %d of the file has the hash %016x; it says %016x: it was changed",
                                               index, hash, part.getHash()));
  }
  return absl::OkStatus();
}

// By words, which the compiler adds several at a time.
uint64_t SumOf(capnp::Data::Reader data) {
  uint64_t sum = 0;
  size_t position = 0;
  for (; position + sizeof(uint64_t) <= data.size(); position += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, data.begin() + position, sizeof(word));
    sum += word;
  }
  for (; position < data.size(); ++position) sum += data[position];
  return sum;
}

}  // namespace

absl::StatusOr<GetCacheRsp::Reader> FileIn(Body::Reader body) {
  if (body.isError()) {
    const Error::Reader error = body.getError();
    return absl::Status(static_cast<absl::StatusCode>(error.getCode()), error.getText().cStr());
  }
  if (!body.isGetCacheRsp() || body.getGetCacheRsp().getFileParts().size() == 0) {
    return absl::DataLossError("the server answered with something else than a file");
  }
  return body.getGetCacheRsp();
}

uint64_t FileBytes(GetCacheRsp::Reader file) {
  uint64_t bytes = 0;
  for (const FilePart::Reader part : file.getFileParts()) bytes += part.getSize();
  return bytes;
}

absl::Status VerifyParts(GetCacheRsp::Reader file, Verify which) {
  const capnp::List<FilePart>::Reader parts = file.getFileParts();
  const uint32_t count = which == Verify::kFirst ? 1 : parts.size();
  for (uint32_t i = 0; i < count; ++i) SLUICE_RETURN_IF_ERROR(VerifyPart(parts[i], i));
  return absl::OkStatus();
}

uint64_t SumOfBytes(GetCacheRsp::Reader file) {
  uint64_t sum = 0;
  for (const FilePart::Reader part : file.getFileParts()) sum += SumOf(part.getData());
  return sum;
}

}  // namespace cache_demo
