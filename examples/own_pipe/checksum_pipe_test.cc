#include "examples/own_pipe/checksum_pipe.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/pipe_conformance.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace own_pipe {
namespace {

using ipc::testing::IsOk;
using ipc::testing::StatusIs;
using ::testing::HasSubstr;

// [guide
// Both ends in this process.
absl::StatusOr<ipc::testing::PipePair> MakePair() {
  auto pair = ipc::RingPipe::CreatePair();
  if (!pair.ok()) return pair.status();
  return ipc::testing::PipePair(std::make_unique<ChecksumPipe>(std::move(pair->first)),
                                std::make_unique<ChecksumPipe>(std::move(pair->second)));
}

// One end over a connected socket; the peer does the same.
absl::StatusOr<std::unique_ptr<ipc::Pipe>> MakeFromSocket(ipc::Fd socket) {
  absl::StatusOr<std::unique_ptr<ipc::RingPipe>> inner = ipc::RingPipe::FromSocket(std::move(socket));
  if (!inner.ok()) return inner.status();
  return std::make_unique<ChecksumPipe>(*std::move(inner));
}
// guide]

absl::Status ReceiveRaw(absl::Span<const std::byte> message) {
  auto pair = ipc::RingPipe::CreatePair();
  EXPECT_THAT(pair, IsOk());
  ChecksumPipe pipe(std::move(pair->first));
  EXPECT_THAT(pair->second->Send(message), IsOk());
  std::byte buffer[16];
  return pipe.Receive(absl::MakeSpan(buffer), nullptr, ipc::testing::TimeLimit()).status();
}

TEST(ChecksumPipeTest, NoticesWhatWasChanged) {
  const std::byte message[8] = {};
  EXPECT_THAT(ReceiveRaw(message), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("wrong checksum")));
  EXPECT_THAT(ReceiveRaw(absl::MakeConstSpan(message, 3)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("without a checksum")));
}

}  // namespace
}  // namespace own_pipe

// [guide
SLUICE_INSTANTIATE_PIPE_CONFORMANCE(Checksum,
                                    {.create_pair = &own_pipe::MakePair, .from_socket = &own_pipe::MakeFromSocket});
// guide]
