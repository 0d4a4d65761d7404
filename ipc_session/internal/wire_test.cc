#include "ipc_session/internal/wire.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AppendWire;
using ::ipc::internal::TakeWire;

TEST(WireTest, ValuesComeBackInTheirOrder) {
  std::string packet;
  AppendWire(uint32_t{7}, &packet);
  AppendWire(uint16_t{8}, &packet);
  absl::Span<const std::byte> rest(reinterpret_cast<const std::byte*>(packet.data()), packet.size());
  uint32_t first = 0;
  uint16_t second = 0;
  EXPECT_TRUE(TakeWire(&rest, &first));
  EXPECT_TRUE(TakeWire(&rest, &second));
  EXPECT_EQ(first, 7u);
  EXPECT_EQ(second, 8u);
  EXPECT_TRUE(rest.empty());
}

TEST(WireTest, WhatIsTooShortStaysAsItIs) {
  const std::byte bytes[3] = {};
  absl::Span<const std::byte> rest = bytes;
  uint32_t value = 7;
  EXPECT_FALSE(TakeWire(&rest, &value));
  EXPECT_EQ(rest.size(), 3u);
  EXPECT_EQ(value, 7u);
}

}  // namespace
}  // namespace ipc::testing
