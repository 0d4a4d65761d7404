// What a pipe costs beside bare code that does the least, in the same run: round trips and one-way streams of 64 bytes
// between two processes, each on a core of its own.
//
//   ./bazelw run //ipc_transport:pipe_benchmark            # --quick: within 20 s
//
// Timed: from before the send to after the answer is received; the bytes are copied in and out on both sides. The
// floors copy nothing but what the system call itself does.

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "ipc_transport/boost_mq_pipe.h"
#include "ipc_transport/mq_pipe.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_pipe.h"
#include "ipc_transport/testing/benchmark_floors.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

using ::ipc::testing::Check;
using ::ipc::testing::Cores;
using ::ipc::testing::Peer;
using ::ipc::testing::TimeRoundTrips;
using ::ipc::testing::TimeStream;

constexpr size_t kBytes = 64;
using Message = std::array<std::byte, kBytes>;
constexpr size_t kBatch = 64;  // Messages.

enum class Kind { kRing, kSocket, kMq, kBoostMq };

absl::StatusOr<std::unique_ptr<Pipe>> FromSocket(Kind kind, Fd socket) {
  switch (kind) {
    case Kind::kRing:
      return RingPipe::FromSocket(std::move(socket));
    case Kind::kSocket:
      return SocketPipe::FromSocket(std::move(socket));
    case Kind::kMq:
      return MqPipe::FromSocket(std::move(socket));
    case Kind::kBoostMq:
      return BoostMqPipe::FromSocket(std::move(socket));
  }
  return absl::InvalidArgumentError("no such kind");
}

std::unique_ptr<Pipe> MakePipe(Kind kind, Fd socket, WaitMode mode) {
  absl::StatusOr<std::unique_ptr<Pipe>> pipe = FromSocket(kind, std::move(socket));
  Check(pipe.status());
  (*pipe)->set_wait_mode(mode);
  return *std::move(pipe);
}

void PipeRoundTrip(benchmark::State& state, Kind kind, WaitMode mode, Cores cores) {
  Peer peer(cores, [&](Fd socket) {
    const std::unique_ptr<Pipe> pipe = MakePipe(kind, std::move(socket), mode);
    Message message;
    while (true) {
      const absl::StatusOr<size_t> bytes = pipe->Receive(absl::MakeSpan(message));
      if (absl::IsOutOfRange(bytes.status())) return;
      Check(bytes.status());
      Check(pipe->Send(Blob(message.data(), *bytes)));
    }
  });
  const std::unique_ptr<Pipe> pipe = MakePipe(kind, peer.TakeSocket(), mode);
  Message message = {};
  TimeRoundTrips(state, [&] {
    Check(pipe->Send(message));
    Check(pipe->Receive(absl::MakeSpan(message)).status());
  });
  Check(pipe->FinishSending());
}

// The other end of a stream: takes messages in batches until there are no more.
void ReceiveAll(Fd socket, Kind kind, WaitMode mode) {
  const std::unique_ptr<Pipe> pipe = MakePipe(kind, std::move(socket), mode);
  std::vector<std::byte> buffer(pipe->max_message_bytes());
  std::vector<ReceivedMessage> messages(kBatch);
  while (true) {
    const absl::StatusOr<size_t> received =
        pipe->TryReceiveBatch(absl::MakeSpan(buffer), absl::MakeSpan(messages), nullptr);
    if (absl::IsOutOfRange(received.status())) return;
    Check(received.status());
    if (*received == 0) Check(pipe->WaitToReceive(Deadline::Default()));
  }
}

// R18: one pipe among many that are open and idle.
void PipeRoundTripBesideOthers(benchmark::State& state, size_t others) {
  std::vector<std::pair<std::unique_ptr<RingPipe>, std::unique_ptr<RingPipe>>> pairs;
  for (size_t i = 0; i < others; i += 2) {
    auto pair = RingPipe::CreatePair();
    Check(pair.status());
    pairs.push_back(*std::move(pair));
  }
  PipeRoundTrip(state, Kind::kRing, WaitMode::kSpin, Cores::kOneEach);
}

void PipeOneWay(benchmark::State& state, Kind kind, WaitMode mode) {
  Peer peer(Cores::kOneEach, [&](Fd socket) { ReceiveAll(std::move(socket), kind, mode); });
  const std::unique_ptr<Pipe> pipe = MakePipe(kind, peer.TakeSocket(), mode);
  const Message message = {};
  TimeStream(state, 1, [&] { Check(pipe->Send(message)); });
  Check(pipe->FinishSending());
}

void PipeOneWayBatch(benchmark::State& state, Kind kind, WaitMode mode) {
  Peer peer(Cores::kOneEach, [&](Fd socket) { ReceiveAll(std::move(socket), kind, mode); });
  const std::unique_ptr<Pipe> pipe = MakePipe(kind, peer.TakeSocket(), mode);
  const Message message = {};
  const std::vector<Blob> batch(kBatch, message);
  TimeStream(state, kBatch, [&] {
    for (size_t sent = 0; sent < kBatch;) {
      const absl::StatusOr<size_t> more = pipe->TrySendBatch(absl::MakeConstSpan(batch).subspan(sent));
      Check(more.status());
      if (*more == 0) Check(pipe->WaitToSend(Deadline::Default()));
      sent += *more;
    }
  });
  Check(pipe->FinishSending());
}

void RegisterAll(testing::Rows) {
  using benchmark::RegisterBenchmark;
  // Each floor stands beside those that are measured by it.
  RegisterBenchmark("BM_FloorRoundTrip/spin/64", testing::FloorSpinRoundTrip);
  RegisterBenchmark("BM_PipeRoundTrip/ring/spin/64", PipeRoundTrip, Kind::kRing, WaitMode::kSpin, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/ring/adaptive/64", PipeRoundTrip, Kind::kRing, WaitMode::kAdaptive,
                    Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/ring/spin_beside_1000/64", PipeRoundTripBesideOthers, 1000);
  RegisterBenchmark("BM_FloorRoundTrip/seqpacket/64", testing::FloorSocketRoundTrip, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/ring/sleep/64", PipeRoundTrip, Kind::kRing, WaitMode::kSleep, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/socket/sleep/64", PipeRoundTrip, Kind::kSocket, WaitMode::kSleep,
                    Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/mq/sleep/64", PipeRoundTrip, Kind::kMq, WaitMode::kSleep, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/boost_mq/sleep/64", PipeRoundTrip, Kind::kBoostMq, WaitMode::kSleep,
                    Cores::kOneEach);
  RegisterBenchmark("BM_FloorRoundTrip/seqpacket_same_core/64", testing::FloorSocketRoundTrip, Cores::kSame);
  RegisterBenchmark("BM_PipeRoundTrip/ring/sleep_same_core/64", PipeRoundTrip, Kind::kRing, WaitMode::kSleep,
                    Cores::kSame);
  RegisterBenchmark("BM_FloorOneWay/spin/64", testing::FloorSpinOneWay);
  RegisterBenchmark("BM_PipeOneWay/ring/spin/64", PipeOneWay, Kind::kRing, WaitMode::kSpin);
  RegisterBenchmark("BM_PipeOneWayBatch/ring/spin/64", PipeOneWayBatch, Kind::kRing, WaitMode::kSpin);
  RegisterBenchmark("BM_PipeOneWay/socket/adaptive/64", PipeOneWay, Kind::kSocket, WaitMode::kAdaptive);
  RegisterBenchmark("BM_PipeOneWayBatch/socket/adaptive/64", PipeOneWayBatch, Kind::kSocket, WaitMode::kAdaptive);
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

int main(int argc, char** argv) { return ipc::testing::BenchmarkMain(argc, argv, &ipc::RegisterAll); }
