#include "ipc_transport/structured/testing/parcels.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

// A prime, so that no two pages are equal.
using Pattern = std::array<uint8_t, 4099>;

Pattern PatternOf(uint64_t number, size_t part) {
  Pattern pattern;
  uint32_t value = static_cast<uint32_t>(number * 2654435761u + part + 1);
  for (uint8_t& byte : pattern) {
    value = value * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(value >> 24);
  }
  return pattern;
}

}  // namespace

void Fill(sluice_test::Parcel::Builder parcel, uint64_t number, size_t parts, size_t bytes) {
  parcel.setNumber(number);
  auto list = parcel.initParts(parts);
  for (size_t i = 0; i < parts; ++i) {
    const Pattern pattern = PatternOf(number, i);
    capnp::Data::Builder part = list.init(i, bytes);
    for (size_t done = 0; done < bytes; done += pattern.size()) {
      std::memcpy(part.begin() + done, pattern.data(), std::min(pattern.size(), bytes - done));
    }
  }
}

::testing::AssertionResult IsFilled(sluice_test::Parcel::Reader parcel, uint64_t number, size_t parts, size_t bytes) {
  if (parcel.getNumber() != number) {
    return ::testing::AssertionFailure() << "number " << parcel.getNumber() << ", expected " << number;
  }
  const auto list = parcel.getParts();
  if (list.size() != parts) return ::testing::AssertionFailure() << list.size() << " parts, expected " << parts;
  for (size_t i = 0; i < parts; ++i) {
    const capnp::Data::Reader part = list[i];
    if (part.size() != bytes) {
      return ::testing::AssertionFailure() << "part " << i << " of " << part.size() << " bytes, expected " << bytes;
    }
    const Pattern pattern = PatternOf(number, i);
    for (size_t done = 0; done < bytes; done += pattern.size()) {
      if (std::memcmp(part.begin() + done, pattern.data(), std::min(pattern.size(), bytes - done)) != 0) {
        return ::testing::AssertionFailure()
               << "part " << i << " of parcel " << number << " differs behind byte " << done;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
