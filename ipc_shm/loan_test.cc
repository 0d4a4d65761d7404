#include "ipc_shm/loan.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/loan_owner.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/internal/peer_end.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using shm::Loan;
using shm::LoanRef;
using shm::ReceiveLoan;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeOwner final : public ::ipc::internal::LoanOwner {
 public:
  void TakeBack(uint32_t slot) override { taken_back.push_back(slot); }
  void GoesBy(uint32_t /*slot*/, std::shared_ptr<const ::ipc::internal::PeerEnd> peer_end, uint64_t message) override {
    going.push_back(message);
    last_end = std::move(peer_end);
  }

  std::vector<uint32_t> taken_back;
  std::vector<uint64_t> going;
  std::shared_ptr<const ::ipc::internal::PeerEnd> last_end;
};

class LoanTest : public ::testing::Test {
 protected:
  Loan MakeLoan(uint32_t slot) { return Loan(owner_, {.offset = 4096, .slot = slot, .generation = 3}); }

  const std::shared_ptr<FakeOwner> owner_ = std::make_shared<FakeOwner>();
};

TEST(LoanRefTest, TravelsAsItsBytes) {
  const LoanRef ref = {.offset = 0x0807060504030201,
                       .region = 0x0c0b0a09,
                       .slot = 0x100f0e0d,
                       .generation = 0x14131211,
                       .object_generation = 0x18171615};
  const std::array<std::byte, LoanRef::kBytes> bytes = ref.ToBytes();
  for (size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], static_cast<std::byte>(i + 1)) << "the layout is fixed";
  EXPECT_THAT(LoanRef::FromBytes(bytes), IsOkAndHolds(ref));
}

TEST(LoanRefTest, OtherBytesAreNone) {
  const std::array<std::byte, 25> bytes = {};
  EXPECT_OK(LoanRef::FromBytes(absl::MakeConstSpan(bytes).first(24)));
  for (const size_t size : {0, 1, 23, 25}) {
    EXPECT_THAT(LoanRef::FromBytes(absl::MakeConstSpan(bytes).first(size)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("24 bytes")));
  }
}

TEST_F(LoanTest, UnsentIsTakenBack) {
  MakeLoan(5);
  EXPECT_THAT(owner_->taken_back, ElementsAre(5));
}

TEST_F(LoanTest, SentIsNot) {
  MakeLoan(5).Sent();
  EXPECT_THAT(owner_->taken_back, IsEmpty());
}

TEST_F(LoanTest, MovesTakeItAlong) {
  {
    Loan first = MakeLoan(1);
    Loan second(std::move(first));
    EXPECT_EQ(second.ref().slot, 1u);
    Loan third = MakeLoan(3);
    third = std::move(second);
    EXPECT_THAT(owner_->taken_back, ElementsAre(3));
    Loan& same = third;
    third = std::move(same);
    EXPECT_THAT(owner_->taken_back, ElementsAre(3));
  }
  EXPECT_THAT(owner_->taken_back, ElementsAre(3, 1));
}

class LoanChannelTest : public LoanTest {
 protected:
  LoanChannelTest() {
    auto pair = *SocketPipe::CreatePair();
    a_ = Channel(std::move(pair.first));
    b_ = Channel(std::move(pair.second));
  }

  Channel a_;
  Channel b_;
};

TEST_F(LoanChannelTest, GoesThroughAChannel) {
  Loan loan = MakeLoan(7);
  const LoanRef ref = loan.ref();
  ASSERT_OK(SendLoan(a_, std::move(loan), TimeLimit()));
  EXPECT_THAT(ReceiveLoan(b_, TimeLimit()), IsOkAndHolds(ref));
  EXPECT_THAT(owner_->taken_back, IsEmpty());
}

TEST_F(LoanChannelTest, AFailedSendTakesItBack) {
  a_.Close();
  EXPECT_THAT(SendLoan(a_, MakeLoan(7), TimeLimit()), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(owner_->taken_back, ElementsAre(7));
}

TEST_F(LoanChannelTest, OtherMessagesAreRefused) {
  const std::array<std::byte, 25> bytes = {};
  ASSERT_OK(a_.Send(absl::MakeConstSpan(bytes).first(23), {}, TimeLimit()));
  ASSERT_OK(a_.Send(bytes, {}, TimeLimit()));
  EXPECT_THAT(ReceiveLoan(b_, TimeLimit()), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ReceiveLoan(b_, TimeLimit()), StatusIs(absl::StatusCode::kInvalidArgument));
  std::array<std::byte, 100> buffer;
  EXPECT_THAT(b_.Receive(absl::MakeSpan(buffer), nullptr, TimeLimit()), IsOkAndHolds(25u)) << "it stays the next one";
}

// In a channel of a session, whose other end somebody watches.
TEST_F(LoanTest, TheOwnerKnowsByWhichMessageItGoes) {
  ASSERT_OK_AND_ASSIGN(auto pipes, SocketPipe::CreatePair());
  const auto peer_end = std::make_shared<const ::ipc::internal::PeerEnd>();
  pipes.first->set_peer_end(peer_end);
  Channel channel(std::move(pipes.first));
  ASSERT_OK(SendLoan(channel, MakeLoan(1), TimeLimit()));
  ASSERT_OK(channel.Send({}, {}, TimeLimit()));
  ASSERT_OK(SendLoan(channel, MakeLoan(2), TimeLimit()));
  EXPECT_THAT(owner_->going, ElementsAre(0, 2));
  EXPECT_EQ(owner_->last_end, peer_end);
}

}  // namespace
}  // namespace ipc::testing
