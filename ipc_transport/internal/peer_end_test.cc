#include "ipc_transport/internal/peer_end.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::PeerEnd;

TEST(PeerEndTest, NothingIsMissedWhileItIsInUse) {
  const PeerEnd end;
  EXPECT_FALSE(end.has_ended());
  EXPECT_FALSE(end.Misses(0));
  EXPECT_FALSE(end.Misses(UINT64_MAX));
}

TEST(PeerEndTest, WhatWasNotReceivedIsMissed) {
  PeerEnd end;
  end.Ended(3);
  EXPECT_TRUE(end.has_ended());
  EXPECT_FALSE(end.Misses(2));
  EXPECT_TRUE(end.Misses(3));
  EXPECT_TRUE(end.Misses(UINT64_MAX));
}

TEST(PeerEndTest, AnyNumberIsAnEnd) {
  PeerEnd end;
  end.Ended(UINT64_MAX);
  EXPECT_TRUE(end.has_ended());
  EXPECT_FALSE(end.Misses(1'000'000));
}

}  // namespace
}  // namespace ipc::testing
