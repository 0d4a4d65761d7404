// The client's side of an answer: read and checked in place.

#ifndef SLUICE_PERF_DEMO_READ_ANSWER_H_
#define SLUICE_PERF_DEMO_READ_ANSWER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/choices.h"

namespace cache_demo {

// The file in `body`; it has a part at least. The server's error, as it was there; DATA_LOSS: no answer at all.
absl::StatusOr<GetCacheRsp::Reader> FileIn(Body::Reader body);

// Of all parts together.
uint64_t FileBytes(GetCacheRsp::Reader file);

// Compares the parts' sizes and hashes with the bytes. DATA_LOSS: they differ; the text names the part.
absl::Status VerifyParts(GetCacheRsp::Reader file, Verify which);

// Reads every byte.
uint64_t SumOfBytes(GetCacheRsp::Reader file);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_READ_ANSWER_H_
