#include "ipc_transport/structured/internal/outgoing_message.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/testing/fake_store.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using ::testing::AllOf;
using testing::FakeStore;
using testing::Fill;
using ::testing::HasSubstr;
using testing::IsFilled;
using testing::IsOk;
using testing::StatusIs;

constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;

Parcel::Builder Root(OutgoingMessage& message) { return message.builder().getRoot<Parcel>(); }

// What a reader finds who is given the sealed message's segments.
void ExpectReadable(const OutgoingMessage& message, uint64_t number, size_t parts, size_t bytes) {
  std::vector<kj::ArrayPtr<const capnp::word>> segments;
  const auto add = [&](absl::Span<const std::byte> segment) {
    ASSERT_EQ(segment.size() % sizeof(capnp::word), 0u);
    ASSERT_GT(segment.size(), 0u);
    segments.push_back(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(segment.data()), segment.size() / sizeof(capnp::word)));
  };
  add(message.inline_segment());
  for (const absl::Span<const std::byte> segment : message.attached()) add(segment);
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(segments.data(), segments.size()));
  EXPECT_TRUE(IsFilled(reader.getRoot<Parcel>(), number, parts, bytes));
}

TEST(OutgoingMessageTest, ASmallOneIsOneSegment) {
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  Fill(Root(*message), 5, 2, 100);
  const size_t bytes = message->bytes();
  EXPECT_GT(bytes, 200u);
  ASSERT_OK(message->Seal());
  EXPECT_EQ(message->inline_segment().size(), bytes);
  EXPECT_EQ(message->bytes(), bytes);
  EXPECT_TRUE(message->attached().empty());
  EXPECT_EQ(message->store_of_segments(), nullptr);
  ExpectReadable(*message, 5, 2, 100);
}

TEST(OutgoingMessageTest, NobodyBuiltItAndItIsAWord) {
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  EXPECT_EQ(message->bytes(), 0u);
  ASSERT_OK(message->Seal());
  EXPECT_EQ(message->inline_segment().size(), sizeof(capnp::word));
  ExpectReadable(*message, 0, 0, 0);
}

TEST(OutgoingMessageTest, SegmentsGrowWithTheMessage) {
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  Fill(Root(*message), 5, 400, 10'000);
  ASSERT_OK(message->Seal());
  // 64 KiB, 64, 128, 256, ...: each as large as all before.
  EXPECT_EQ(message->attached().size(), 7u);
  ExpectReadable(*message, 5, 400, 10'000);
}

TEST(OutgoingMessageTest, IsAsGoodAsNewWhenItIsUsedAgain) {
  for (int round = 0; round < 3; ++round) {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
    EXPECT_EQ(message->bytes(), 0u);
    EXPECT_TRUE(message->descriptors().empty());
    Parcel::Builder root = Root(*message);
    EXPECT_EQ(root.getNumber(), 0u);
    EXPECT_FALSE(root.hasParts());
    // Fresh memory is zero, which Cap'n Proto counts on.
    for (const capnp::byte byte : root.initParts(1).init(0, 500)) ASSERT_EQ(byte, 0);
    Fill(root, 0x5555555555555555, 3, 200);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    close(ends[1]);
    ASSERT_OK(message->AttachDescriptor(Fd(ends[0])));
    if (round == 1) {
      ASSERT_OK(message->Seal());
    }
  }
}

TEST(OutgoingMessageTest, LargePartsLieInTheStore) {
  const auto [store, peer] = FakeStore::CreatePair();
  {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
    Fill(Root(*message), 5, 30, 10'000);
    EXPECT_EQ(store->segments(), 4u);
    EXPECT_EQ(message->store_of_segments(), nullptr);
    ASSERT_OK(message->Seal());
    ASSERT_OK(message->Seal());
    EXPECT_EQ(message->store_of_segments(), store.get());
    EXPECT_EQ(message->addresses().size(), 4u);
    EXPECT_TRUE(message->attached().empty());
    EXPECT_EQ(store->segments(), 4u);
  }
  EXPECT_EQ(store->segments(), 0u);
}

TEST(OutgoingMessageTest, ASmallOneTouchesNoStore) {
  const auto [store, peer] = FakeStore::CreatePair({.bytes = 0});
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
  Fill(Root(*message), 5, 1, 900);
  ASSERT_OK(message->Seal());
  EXPECT_EQ(message->store_of_segments(), nullptr);
}

TEST(OutgoingMessageTest, WhatWasNeverSealedIsFreed) {
  const auto [store, peer] = FakeStore::CreatePair();
  {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
    Fill(Root(*message), 5, 30, 10'000);
  }
  EXPECT_EQ(store->segments(), 0u);
}

TEST(OutgoingMessageTest, LoansGoOutAndComeBack) {
  const auto [store, peer] = FakeStore::CreatePair({.loans = 2});
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
  Fill(Root(*message), 5, 30, 10'000);
  ASSERT_OK(message->Seal());
  ASSERT_OK_AND_ASSIGN(const LoanHandle first, message->Lend());
  ASSERT_OK_AND_ASSIGN(const LoanHandle second, message->Lend());
  EXPECT_THAT(message->Lend(), StatusIs(kResourceExhausted));
  message->TakeBack(first);
  message->TakeBack(second);
  EXPECT_EQ(store->loans(), 0u);
}

TEST(OutgoingMessageTest, AnExhaustedStoreDoesNotStopTheBuilding) {
  const auto [store, peer] = FakeStore::CreatePair({.bytes = 200'000});
  {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
    Fill(Root(*message), 5, 40, 10'000);
    EXPECT_TRUE(IsFilled(Root(*message).asReader(), 5, 40, 10'000));
    EXPECT_THAT(message->status(), StatusIs(kResourceExhausted,
                                            AllOf(HasSubstr("of 200000 bytes are in use"), HasSubstr("a message of"))));
    EXPECT_THAT(message->Seal(), StatusIs(kResourceExhausted));
    EXPECT_GT(store->segments(), 0u);
  }
  EXPECT_EQ(store->segments(), 0u);
}

// The wanted size is not to be had, the needed one is.
TEST(OutgoingMessageTest, TakesLessWhereThereIsNoMore) {
  const auto [store, peer] = FakeStore::CreatePair({.segment_bytes = OutgoingMessage::kMinSegmentBytes});
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
  Fill(Root(*message), 5, 20, 60'000);
  ASSERT_OK(message->Seal());
  EXPECT_EQ(message->addresses().size(), 20u);
}

TEST(OutgoingMessageTest, ReservesOneSegmentAtOnce) {
  const auto [store, peer] = FakeStore::CreatePair();
  for (const std::shared_ptr<MessageStore>& memory :
       {std::shared_ptr<MessageStore>(), std::shared_ptr<MessageStore>(store)}) {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(memory, 350'000);
    EXPECT_EQ(store->segments(), memory != nullptr ? 1u : 0u);
    EXPECT_OK(message->status());
    EXPECT_EQ(message->bytes(), 0u);
    Fill(Root(*message), 5, 30, 10'000);
    ASSERT_OK(message->Seal());
    if (memory == nullptr) {
      EXPECT_EQ(message->attached().size(), 1u);
      ExpectReadable(*message, 5, 30, 10'000);
    } else {
      EXPECT_EQ(message->addresses().size(), 1u);
    }
  }
  EXPECT_EQ(store->segments(), 0u);
}

TEST(OutgoingMessageTest, WhatWasReservedForNothingIsGivenBack) {
  const auto [store, peer] = FakeStore::CreatePair();
  {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(store, 100'000);
    Fill(Root(*message), 5, 1, 100);
    ASSERT_OK(message->Seal());
    EXPECT_EQ(store->segments(), 0u);
    EXPECT_EQ(message->store_of_segments(), nullptr);
    // Never sealed.
    const OutgoingMessage::Ptr other = OutgoingMessage::New(store, 100'000);
    EXPECT_EQ(store->segments(), 1u);
  }
  EXPECT_EQ(store->segments(), 0u);
  // It has that by itself.
  const OutgoingMessage::Ptr small = OutgoingMessage::New(store, OutgoingMessage::kInlineWords * 8);
  EXPECT_EQ(store->segments(), 0u);
}

// A part that is larger than what was reserved has a segment of its own; smaller ones go on where there is room.
TEST(OutgoingMessageTest, WhatIsReservedWaitsForWhatFits) {
  const auto [store, peer] = FakeStore::CreatePair();
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store, 2'000);
  Fill(Root(*message), 5, 1, 50'000);
  EXPECT_EQ(store->segments(), 2u);
  ASSERT_OK(message->Seal());
  EXPECT_EQ(message->addresses().size(), 1u);
}

TEST(OutgoingMessageTest, TellsAtOnceWhatCannotBeReserved) {
  const auto [store, peer] = FakeStore::CreatePair({.bytes = 200'000});
  {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(store, 200'001);
    EXPECT_THAT(message->status(), StatusIs(kResourceExhausted, HasSubstr("200008 bytes more")));
    Fill(Root(*message), 5, 30, 10'000);
    EXPECT_TRUE(IsFilled(Root(*message).asReader(), 5, 30, 10'000));
    EXPECT_THAT(message->Seal(), StatusIs(kResourceExhausted));
  }
  EXPECT_THAT(OutgoingMessage::New(store, OutgoingMessage::kMaxReserveBytes + 1)->status(),
              StatusIs(kResourceExhausted, HasSubstr("at most 4294967288")));
  EXPECT_EQ(store->segments(), 0u);
  EXPECT_OK(OutgoingMessage::New(store, 200'000)->status());
}

TEST(OutgoingMessageTest, AnotherOneAlikeIsInTheSameMemory) {
  const auto [store, peer] = FakeStore::CreatePair();
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
  Fill(Root(*message), 5, 30, 10'000);
  ASSERT_OK(message->Seal());
  const OutgoingMessage::Ptr other = message->NewAlike();
  other->builder().setRoot(Root(*message).asReader());
  ASSERT_OK(other->Seal());
  EXPECT_EQ(other->store_of_segments(), store.get());
}

TEST(OutgoingMessageTest, TheTableOfSegmentsHasAnEnd) {
  const auto [store, peer] = FakeStore::CreatePair({.segment_bytes = OutgoingMessage::kMinSegmentBytes});
  {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
    // One segment for the list's own pointers, and one for each part.
    Fill(Root(*message), 5, kMaxSegments - 1, 64'000);
    EXPECT_THAT(message->Seal(), IsOk());
    EXPECT_EQ(message->addresses().size(), kMaxSegments);
  }
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
  Fill(Root(*message), 5, kMaxSegments, 64'000);
  EXPECT_THAT(message->Seal(), StatusIs(kResourceExhausted, HasSubstr("more than 1024 segments")));
}

TEST(OutgoingMessageTest, ARefusedPublicationLosesNothing) {
  const auto [store, peer] = FakeStore::CreatePair({.messages = 1});
  OutgoingMessage::Ptr first = OutgoingMessage::New(store);
  Fill(Root(*first), 5, 30, 10'000);
  ASSERT_OK(first->Seal());
  const OutgoingMessage::Ptr second = OutgoingMessage::New(store);
  Fill(Root(*second), 6, 30, 10'000);
  EXPECT_THAT(second->Seal(), StatusIs(kResourceExhausted, HasSubstr("1 messages are out")));
  first.reset();
  EXPECT_OK(second->Seal());
  EXPECT_EQ(second->addresses().size(), 4u);
}

TEST(OutgoingMessageTest, WhatWasTakenOutAgainStillIsASegment) {
  const auto [store, peer] = FakeStore::CreatePair();
  for (const std::shared_ptr<MessageStore>& memory :
       {std::shared_ptr<MessageStore>(), std::shared_ptr<MessageStore>(store)}) {
    const OutgoingMessage::Ptr message = OutgoingMessage::New(memory);
    Parcel::Builder root = Root(*message);
    root.setNumber(5);
    {
      auto orphan = capnp::Orphanage::getForMessageContaining(root).newOrphan<capnp::Data>(50'000);
      orphan.truncate(0);
    }
    ASSERT_OK(message->Seal());
    if (memory == nullptr) ExpectReadable(*message, 5, 0, 0);
  }
}

TEST(OutgoingMessageTest, RefusesExternalData) {
  const std::vector<capnp::word> memory(10);
  const auto bytes = kj::arrayPtr(reinterpret_cast<const capnp::byte*>(memory.data()), 80);
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  Parcel::Builder root = Root(*message);
  root.initParts(1).adopt(0, capnp::Orphanage::getForMessageContaining(root).referenceExternalData(bytes));
  EXPECT_THAT(message->Seal(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 pieces of external data")));
}

TEST(OutgoingMessageTest, SixteenDescriptorsAndNoMore) {
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr);
  EXPECT_THAT(message->AttachDescriptor(Fd()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not open")));
  for (size_t i = 0; i < 17; ++i) {
    const absl::Status attached = message->AttachDescriptor(Fd(dup(0)));
    if (i < 16) {
      EXPECT_OK(attached);
    } else {
      EXPECT_THAT(attached, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 16")));
    }
  }
  EXPECT_EQ(message->descriptors().size(), 16u);
}

// Of a sealed message any thread may ask and lend.
TEST(OutgoingMessageTest, ASealedOneServesManyThreads) {
  const auto [store, peer] = FakeStore::CreatePair();
  const OutgoingMessage::Ptr message = OutgoingMessage::New(store);
  Fill(Root(*message), 5, 30, 10'000);
  ASSERT_OK(message->Seal());
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&message = message] {
      for (int round = 0; round < 100; ++round) {
        EXPECT_OK(message->Seal());
        EXPECT_GT(message->bytes(), 300'000u);
        const absl::StatusOr<LoanHandle> loan = message->Lend();
        ASSERT_THAT(loan, IsOk());
        message->TakeBack(*loan);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store->loans(), 0u);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
