#include "perf_demo/build_answer.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "ipc_util/internal/status_macros.h"
#include "xxhash.h"

namespace cache_demo {
namespace {

constexpr uint64_t kMinPartBytes = uint64_t{64} << 10;
constexpr uint64_t kMaxPartBytes = uint64_t{64} << 20;
// Few, since a message needs a segment of its own for each of the first ones, and every segment's address travels.
constexpr uint64_t kPartsBelowMax = 4;

}  // namespace

uint64_t PartBytes(uint64_t file_bytes) {
  const uint64_t wanted = std::clamp(file_bytes / kPartsBelowMax, kMinPartBytes, kMaxPartBytes);
  return wanted / kMinPartBytes * kMinPartBytes;
}

absl::Status BuildAnswer(const File& file, absl::FunctionRef<absl::Status()> go_on, Body::Builder body) {
  const int64_t begin = absl::GetCurrentTimeNanos();
  const uint64_t part_bytes = PartBytes(file.bytes());
  const uint64_t count = std::max<uint64_t>(1, (file.bytes() + part_bytes - 1) / part_bytes);
  GetCacheRsp::Builder answer = body.initGetCacheRsp();
  capnp::List<FilePart>::Builder parts = answer.initFileParts(static_cast<capnp::uint>(count));
  uint64_t offset = 0;
  for (FilePart::Builder part : parts) {
    const uint64_t size = std::min(part_bytes, file.bytes() - offset);
    capnp::Data::Builder data = part.initData(static_cast<capnp::uint>(size));
    SLUICE_RETURN_IF_ERROR(go_on());
    SLUICE_RETURN_IF_ERROR(file.Read(offset, absl::MakeSpan(reinterpret_cast<std::byte*>(data.begin()), data.size())));
    part.setSize(size);
    part.setHash(XXH3_64bits(data.begin(), data.size()));
    offset += size;
  }
  answer.setBuildNanos(absl::GetCurrentTimeNanos() - begin);
  return absl::OkStatus();
}

void BuildError(const absl::Status& error, Body::Builder body) {
  Error::Builder answer = body.initError();
  answer.setCode(static_cast<uint16_t>(error.code()));
  answer.setText(std::string(error.message()));
}

}  // namespace cache_demo
