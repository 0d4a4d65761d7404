#include "perf_demo/testing/benchmark_beside.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/clock.h"
#include "ipc_util/testing/temp_dir.h"
#include "perf_demo/benchmark_session.h"
#include "perf_demo/choices.h"

namespace cache_demo {
namespace {

using ::ipc::internal::NowNanos;
using ::ipc::testing::Check;
using ::ipc::testing::Die;
using ::ipc::testing::Peer;
using ::ipc::testing::Rows;
using ::ipc::testing::Samples;
using ::ipc::testing::SharedMemory;
using ::ipc::testing::TempDir;

constexpr int kManyChannels = 1000;

constexpr size_t kBytes = 64;
using Message = std::array<std::byte, kBytes>;
constexpr std::byte kLast{1};  // In the first byte of a turn's last message.

enum Turn : uint64_t { kEnd, kFloor, kAlone, kAmong, kAloneDispatched, kAmongDispatched, kTurns };

struct Words {
  alignas(128) std::atomic<uint64_t> turn;  // Release and acquire on all: a count of turns times kTurns, and the turn.
  alignas(128) std::atomic<uint64_t> request;
  alignas(128) std::atomic<uint64_t> answer;
};

// A session with so many ring channels, of which the middle one is used.
struct Side {
  Side(ipc::Session opened, int count) : session(std::move(opened)) {
    for (int i = 0; i < count; ++i) {
      channels.push_back(session.TakeChannel(i));
      channels.back().set_wait_mode(ipc::WaitMode::kSpin);
    }
  }

  ipc::Channel& used() { return channels[channels.size() / 2]; }

  ipc::Session session;
  std::vector<ipc::Channel> channels;
};

// Answers one message; false: it was the turn's last.
bool Echo(ipc::Channel& channel, size_t bytes, Message& message) {
  if (bytes != kBytes) Die("a message has another size");
  Check(channel.Send(message));
  return message[0] != kLast;
}

void EchoTurn(ipc::Channel& channel) {
  Message message;
  absl::StatusOr<size_t> bytes;
  do {
    bytes = channel.Receive(absl::MakeSpan(message));
    Check(bytes.status());
  } while (Echo(channel, *bytes, message));
}

class DispatchedSide {
 public:
  explicit DispatchedSide(Side& side) : session_(side.session) {
    for (ipc::Channel& channel : side.channels) {
      side.session.OnReady(channel, [this, &channel] {
        Message message;
        const auto bytes = channel.TryReceive(absl::MakeSpan(message));
        Check(bytes.status());
        if (bytes->has_value() && !Echo(channel, **bytes, message)) turn_ended_ = true;
        return true;
      });
    }
  }

  void RunTurn() {
    for (turn_ended_ = false; !turn_ended_;) Check(session_.Dispatch());
  }

 private:
  ipc::Session& session_;
  bool turn_ended_ = false;
};

void EchoFloorTurn(Words& words, int round_trips) {
  for (int i = 0; i < round_trips; ++i) {
    const uint64_t last = words.answer.load(std::memory_order_relaxed);
    Await(words.request, last + 1);
    words.answer.store(last + 1, std::memory_order_release);
  }
}

constexpr int kTurnRoundTrips = 200;

void EchoAll(Side& alone, Side& among, Words& words) {
  DispatchedSide alone_dispatched(alone);
  DispatchedSide among_dispatched(among);
  for (uint64_t turn = kTurns;; turn = turn / kTurns * kTurns + kTurns) {
    Await(words.turn, turn);
    switch (words.turn.load(std::memory_order_acquire) % kTurns) {
      case kFloor:
        EchoFloorTurn(words, kTurnRoundTrips);
        break;
      case kAlone:
        EchoTurn(alone.used());
        break;
      case kAmong:
        EchoTurn(among.used());
        break;
      case kAloneDispatched:
        alone_dispatched.RunTurn();
        break;
      case kAmongDispatched:
        among_dispatched.RunTurn();
        break;
      default:
        return;
    }
  }
}

void AskTurn(ipc::Channel& channel, Samples& samples) {
  Message message = {};
  for (int i = 1; i <= kTurnRoundTrips; ++i) {
    message[0] = i == kTurnRoundTrips ? kLast : std::byte{0};
    const int64_t begin = NowNanos();
    Check(channel.Send(message));
    Check(channel.Receive(absl::MakeSpan(message)).status());
    samples.Add(NowNanos() - begin);
  }
}

void AskFloorTurn(Words& words, Samples& samples) {
  for (int i = 0; i < kTurnRoundTrips; ++i) {
    const int64_t begin = NowNanos();
    const uint64_t next = words.request.load(std::memory_order_relaxed) + 1;
    words.request.store(next, std::memory_order_release);
    Await(words.answer, next);
    samples.Add(NowNanos() - begin);
  }
}

}  // namespace

void ChannelRoundTripBeside(benchmark::State& state, TargetTable& table, Rows rows) {
  const int turns = rows == Rows::kQuick ? 30 : 300;
  const ipc::SessionOptions many = {.channels = kManyChannels};
  const TempDir folder;
  const SharedMemory<Words> words;
  Peer peer(ipc::testing::Cores::kOneEach, [&](ipc::Fd socket) {
    Side alone(AcceptSession(Mode::kHeap, folder.path(), socket), 1);
    Side among(AcceptSession(Mode::kHeap, folder.path(), socket, many), kManyChannels);
    EchoAll(alone, among, *words.operator->());
  });
  Side alone(ConnectSession(Mode::kHeap, folder.path(), peer.socket()), 1);
  Side among(ConnectSession(Mode::kHeap, folder.path(), peer.socket(), many), kManyChannels);
  std::array<Samples, kTurns> samples;
  uint64_t turn = 0;
  const auto begin = [&](Turn which) { words->turn.store((turn += kTurns) + which, std::memory_order_release); };
  for (auto _ : state) {
    for (int i = 0; i < turns; ++i) {
      begin(kFloor);
      AskFloorTurn(*words.operator->(), samples[kFloor]);
      for (const Turn which : {kAlone, kAmong, kAloneDispatched, kAmongDispatched}) {
        begin(which);
        Side& side = which == kAlone || which == kAloneDispatched ? alone : among;
        AskTurn(side.used(), samples[which]);
      }
    }
  }
  begin(kEnd);
  samples[kAmong].Report(state);
  samples[kAlone].Report(state, "alone_");
  samples[kFloor].Report(state, "floor_");
  samples[kAmongDispatched].Report(state, "dispatched_");
  samples[kAloneDispatched].Report(state, "alone_dispatched_");
  const auto median = [&](Turn which) { return samples[which].Median(); };
  table.Set("R18 round trip, 1 of 1000 / alone", median(kAmong) / median(kAlone), 1.2, "",
            median(kAmong) / median(kFloor));
  table.Set("R18 the same, driven by Dispatch", median(kAmongDispatched) / median(kAloneDispatched), 1.2, "",
            median(kAmongDispatched) / median(kFloor));
}

}  // namespace cache_demo
