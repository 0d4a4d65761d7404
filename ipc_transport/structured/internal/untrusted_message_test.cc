// Messages of a peer that writes into their memory while they are read.

#include <kj/exception.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/structured/internal/incoming_message.h"
#include "ipc_transport/structured/internal/outgoing_message.h"
#include "ipc_transport/structured/internal/record.h"
#include "ipc_transport/structured/testing/borrowed.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_transport/structured/testing/records.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

using sluice_test::Parcel;
using testing::Borrowed;
using testing::Bytes;
using testing::Fill;
using testing::HonestMessage;
using testing::IsOk;
using testing::Join;
using testing::StatusIs;

// All that is to be read of a message, and whether it was readable.
std::string ReadAll(Parcel::Reader parcel) {
  std::string text;
  try {
    text.append(std::to_string(parcel.getNumber()));
    for (const capnp::Data::Reader part : parcel.getParts()) text.append(part.asChars().begin(), part.size());
    if (parcel.isInner()) text.append(ReadAll(parcel.getInner()));
    if (parcel.isText()) text.append(parcel.getText().cStr());
  } catch (const kj::Exception& error) {
    text.append(error.getDescription().cStr());
  }
  return text;
}

// The only segment of a message behind its inline one, and the inline one.
struct Parts {
  std::vector<uint64_t> inline_words;
  std::vector<uint64_t> stored;
};

Parts Build(uint64_t number, size_t parts, size_t bytes) {
  const OutgoingMessage::Ptr message = OutgoingMessage::New(nullptr, 100'000);
  // The root does not fit into the first segment any more.
  message->builder().getOrphanage().newOrphan<capnp::Data>(1000);
  Fill(message->builder().getRoot<Parcel>(), number, parts, bytes);
  EXPECT_THAT(message->Seal(), IsOk());
  EXPECT_EQ(message->attached().size(), 1u);
  const auto words = [](absl::Span<const std::byte> segment) {
    std::vector<uint64_t> copy(segment.size() / 8);
    std::memcpy(copy.data(), segment.data(), segment.size());
    return copy;
  };
  return {words(message->inline_segment()), words(message->attached()[0])};
}

absl::StatusOr<IncomingMessage::Ptr> Receive(const Parts& parts, absl::Span<const std::byte> stored,
                                             const IncomingOptions& options) {
  MessageHeader header = HonestMessage(1);
  header.inline_words = static_cast<uint16_t>(parts.inline_words.size());
  const Bytes bytes = Join(header, parts.inline_words);
  MessageRecord record;
  EXPECT_THAT(ParseMessage(bytes, 0, record), IsOk());
  record.is_stored = true;
  return IncomingMessage::Copy(record, std::make_unique<Borrowed>(std::vector{stored}), {}, options);
}

absl::Span<const std::byte> AsBytes(const std::vector<uint64_t>& words) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(words.data()), words.size() * 8);
}

TEST(UntrustedMessageTest, IsCopiedAndTheLoanGivenBack) {
  Parts parts = Build(7, 3, 5000);
  ASSERT_OK_AND_ASSIGN(const IncomingMessage::Ptr message,
                       Receive(parts, AsBytes(parts.stored), {.copy_borrowed = true}));
  EXPECT_EQ(Borrowed::alive, 0);
  parts.stored.assign(parts.stored.size(), 0x7d7d7d7d7d7d7d7d);
  EXPECT_TRUE(testing::IsFilled(message->root().as<Parcel>(), 7, 3, 5000));
  EXPECT_GE(message->private_bytes(), sizeof(IncomingMessage) + 15'000);
}

TEST(UntrustedMessageTest, IsCopiedWithinALimit) {
  const Parts parts = Build(7, 3, 5000);
  const size_t bytes = AsBytes(parts.stored).size();
  EXPECT_THAT(Receive(parts, AsBytes(parts.stored), {.copy_borrowed = true, .max_copied_bytes = bytes}), IsOk());
  EXPECT_THAT(Receive(parts, AsBytes(parts.stored), {.copy_borrowed = true, .max_copied_bytes = bytes - 1}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(Borrowed::alive, 0);
}

// H3
TEST(UntrustedMessageTest, OfWordsThatAreNotWholeNothingIsRead) {
  const Parts parts = Build(7, 3, 5000);
  EXPECT_THAT(Receive(parts, AsBytes(parts.stored).first(8001), {.copy_borrowed = true}),
              StatusIs(absl::StatusCode::kDataLoss));
}

// H2: what was copied may be a mixture, but is read the same each time, while the peer goes on writing.
TEST(UntrustedMessageTest, ReadsOneSnapshotWhileThePeerWrites) {
  // Pointers of the one lead elsewhere in the other.
  const Parts one = Build(1, 3, 3000);
  const Parts other = Build(2, 300, 16);
  std::vector<uint64_t> memory = one.stored;
  const size_t common = std::min(one.stored.size(), other.stored.size());
  std::atomic<bool> stop{false};  // Relaxed: only to end.
  std::atomic<int> rounds{0};
  std::thread writer([&] {
    volatile uint64_t* const words = memory.data();
    while (!stop.load(std::memory_order_relaxed)) {
      for (size_t i = 0; i < common; ++i) words[i] = other.stored[i];
      for (size_t i = 0; i < common; ++i) words[i] = one.stored[i];
      words[common / 2] = 0x7d7d7d7d7d7d7d7d;
      rounds.fetch_add(1, std::memory_order_relaxed);
    }
  });
  int readable = 0;
  for (int i = 0; i < 2000 || rounds.load(std::memory_order_relaxed) < 100; ++i) {
    const absl::StatusOr<IncomingMessage::Ptr> message = Receive(one, AsBytes(memory), {.copy_borrowed = true});
    if (!message.ok()) {
      EXPECT_THAT(message, StatusIs(absl::StatusCode::kDataLoss));
      continue;
    }
    ++readable;
    const Parcel::Reader root = (*message)->root().as<Parcel>();
    const std::string first = ReadAll(root);
    EXPECT_EQ(ReadAll(root), first);
    const std::string text = (*message)->DebugText(capnp::Schema::from<Parcel>(), 2000);
    EXPECT_EQ((*message)->DebugText(capnp::Schema::from<Parcel>(), 2000), text);
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();
  EXPECT_GT(readable, 0);
  EXPECT_EQ(Borrowed::alive, 0);
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
