// What a pipe costs beside bare code that does the least, in the same run: round trips and one-way streams of 64 bytes
// between two processes, each on a core of its own.
//
//   ./bazelw run //ipc_transport:pipe_benchmark            # --quick: within 20 s
//
// Timed: from before the send to after the answer is received; the bytes are copied in and out on both sides. The
// floors copy nothing but what the system call itself does.

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "ipc_transport/boost_mq_pipe.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/mq_pipe.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/ring_pipe.h"
#include "ipc_transport/socket_pipe.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

constexpr size_t kBytes = 64;
using Message = std::array<std::byte, kBytes>;
constexpr size_t kBatch = 64;  // Messages.

enum class Kind { kRing, kSocket, kMq, kBoostMq };
enum class Cores { kOneEach, kSame };

uint64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

[[noreturn]] void Die(absl::string_view what) {
  std::fprintf(stderr, "pipe_benchmark: %s\n", std::string(what).c_str());
  std::_Exit(1);
}

void Check(const absl::Status& status) {
  if (!status.ok()) Die(status.ToString());
}

// The processors that this program was given.
std::vector<int> AllowedProcessors() {
  static const std::vector<int> processors = [] {
    cpu_set_t set;
    std::vector<int> result;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) Die("cannot ask for the allowed processors");
    for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
      if (CPU_ISSET(processor, &set)) result.push_back(processor);
    }
    return result;
  }();
  return processors;
}

void PinTo(size_t index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(AllowedProcessors()[index % AllowedProcessors().size()], &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) Die("cannot pin a process");
}

// A process that runs `body` with its end of a socket, on its own core. It is waited for at the end of the scope, so
// `body` must end when the other side does.
class Peer {
 public:
  template <typename Body>
  explicit Peer(Cores cores, Body body) {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) Die("cannot make a pair of sockets");
    AllowedProcessors();
    pid_ = fork();
    if (pid_ < 0) Die("cannot fork");
    if (pid_ == 0) {
      close(sockets[0]);
      PinTo(cores == Cores::kOneEach ? 1 : 0);
      body(Fd(sockets[1]));
      std::_Exit(0);
    }
    close(sockets[1]);
    socket_ = Fd(sockets[0]);
    PinTo(0);
  }
  ~Peer() {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_ || status != 0) Die("the peer failed");
  }

  Fd TakeSocket() { return std::move(socket_); }

 private:
  pid_t pid_;
  Fd socket_;
};

// The last million durations.
class Samples {
 public:
  Samples() : nanos_(kCapacity) {}

  void Add(uint64_t nanos) { nanos_[count_++ % kCapacity] = static_cast<uint32_t>(std::min<uint64_t>(nanos, ~0u)); }

  void Report(benchmark::State& state) {
    const size_t kept = std::min(count_, kCapacity);
    if (kept == 0) return;
    std::sort(nanos_.begin(), nanos_.begin() + kept);
    state.counters["p50_ns"] = nanos_[kept / 2];
    state.counters["p99_ns"] = nanos_[kept * 99 / 100];
    state.counters["p999_ns"] = nanos_[kept * 999 / 1000];
  }

 private:
  static constexpr size_t kCapacity = size_t{1} << 20;

  std::vector<uint32_t> nanos_;
  size_t count_ = 0;
};

// Times `round_trip` after some that are not timed.
template <typename RoundTrip>
void TimeRoundTrips(benchmark::State& state, RoundTrip round_trip) {
  constexpr int kWarmUp = 200;
  for (int i = 0; i < kWarmUp; ++i) round_trip();
  Samples samples;
  for (auto _ : state) {
    const uint64_t begin = NowNanos();
    round_trip();
    samples.Add(NowNanos() - begin);
  }
  samples.Report(state);
}

// By the clock, not by the processor's time, which google benchmark would take.
template <typename Send>
void TimeStream(benchmark::State& state, size_t items, Send send) {
  const uint64_t begin = NowNanos();
  for (auto _ : state) send();
  state.counters["items_per_second"] = 1e9 * items * state.iterations() / (NowNanos() - begin);
}

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

// Memory that both processes see, zeroed.
template <typename T>
class SharedMemory {
 public:
  SharedMemory() {
    void* const address = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) Die("cannot map shared memory");
    value_ = static_cast<T*>(address);
  }
  ~SharedMemory() { munmap(value_, sizeof(T)); }

  T* operator->() const { return value_; }

 private:
  T* value_;
};

// The least that a round trip can be: each side waits for the other's store.
void FloorSpinRoundTrip(benchmark::State& state) {
  constexpr uint64_t kEnd = ~uint64_t{0};
  struct Words {
    alignas(128) std::atomic<uint64_t> request;  // Release and acquire on both.
    alignas(128) std::atomic<uint64_t> answer;
  };
  const SharedMemory<Words> words;
  Peer peer(Cores::kOneEach, [&](Fd) {
    for (uint64_t last = 0; last != kEnd;) {
      const uint64_t next = words->request.load(std::memory_order_acquire);
      if (next != last) words->answer.store(last = next, std::memory_order_release);
      internal::CpuRelax();
    }
  });
  uint64_t number = 0;
  TimeRoundTrips(state, [&] {
    words->request.store(++number, std::memory_order_release);
    while (words->answer.load(std::memory_order_acquire) != number) internal::CpuRelax();
  });
  words->request.store(kEnd, std::memory_order_release);
}

void FloorSocketRoundTrip(benchmark::State& state, Cores cores) {
  Peer peer(cores, [](Fd socket) {
    Message message;
    while (recv(socket.get(), message.data(), kBytes, 0) > 0) send(socket.get(), message.data(), kBytes, 0);
  });
  const Fd socket = peer.TakeSocket();
  Message message = {};
  TimeRoundTrips(state, [&] {
    if (send(socket.get(), message.data(), kBytes, 0) != kBytes || recv(socket.get(), message.data(), kBytes, 0) <= 0) {
      Die("the bare socket failed");
    }
  });
  shutdown(socket.get(), SHUT_RDWR);
}

// The least that a stream of records can be: slots with a sequence number, and a reader that tells every quarter.
void FloorSpinOneWay(benchmark::State& state) {
  constexpr size_t kSlots = 2048;
  struct Slot {
    alignas(128) std::atomic<uint64_t> sequence;  // Release and acquire.
    Message message;
  };
  struct Stream {
    alignas(128) std::atomic<uint64_t> read;  // Release and acquire.
    alignas(128) std::atomic<bool> ended;     // The same.
    Slot slots[kSlots];
  };
  const SharedMemory<Stream> stream;
  Peer peer(Cores::kOneEach, [&](Fd) {
    Message message;
    for (uint64_t next = 1;;) {
      const Slot& slot = stream->slots[next % kSlots];
      if (slot.sequence.load(std::memory_order_acquire) == next) {
        message = slot.message;
        benchmark::DoNotOptimize(message);
        if (next++ % (kSlots / 4) == 0) stream->read.store(next - 1, std::memory_order_release);
      } else if (stream->ended.load(std::memory_order_acquire)) {
        return;
      } else {
        internal::CpuRelax();
      }
    }
  });
  const Message message = {};
  uint64_t sent = 0;
  uint64_t read = 0;
  TimeStream(state, 1, [&] {
    while (sent - read >= kSlots - 1) {
      internal::CpuRelax();
      read = stream->read.load(std::memory_order_acquire);
    }
    Slot& slot = stream->slots[++sent % kSlots];
    slot.message = message;
    slot.sequence.store(sent, std::memory_order_release);
  });
  stream->ended.store(true, std::memory_order_release);
}

void RegisterAll() {
  using benchmark::RegisterBenchmark;
  // Each floor stands beside those that are measured by it.
  RegisterBenchmark("BM_FloorRoundTrip/spin/64", FloorSpinRoundTrip);
  RegisterBenchmark("BM_PipeRoundTrip/ring/spin/64", PipeRoundTrip, Kind::kRing, WaitMode::kSpin, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/ring/adaptive/64", PipeRoundTrip, Kind::kRing, WaitMode::kAdaptive,
                    Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/ring/spin_beside_1000/64", PipeRoundTripBesideOthers, 1000);
  RegisterBenchmark("BM_FloorRoundTrip/seqpacket/64", FloorSocketRoundTrip, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/ring/sleep/64", PipeRoundTrip, Kind::kRing, WaitMode::kSleep, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/socket/sleep/64", PipeRoundTrip, Kind::kSocket, WaitMode::kSleep,
                    Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/mq/sleep/64", PipeRoundTrip, Kind::kMq, WaitMode::kSleep, Cores::kOneEach);
  RegisterBenchmark("BM_PipeRoundTrip/boost_mq/sleep/64", PipeRoundTrip, Kind::kBoostMq, WaitMode::kSleep,
                    Cores::kOneEach);
  RegisterBenchmark("BM_FloorRoundTrip/seqpacket_same_core/64", FloorSocketRoundTrip, Cores::kSame);
  RegisterBenchmark("BM_PipeRoundTrip/ring/sleep_same_core/64", PipeRoundTrip, Kind::kRing, WaitMode::kSleep,
                    Cores::kSame);
  RegisterBenchmark("BM_FloorOneWay/spin/64", FloorSpinOneWay);
  RegisterBenchmark("BM_PipeOneWay/ring/spin/64", PipeOneWay, Kind::kRing, WaitMode::kSpin);
  RegisterBenchmark("BM_PipeOneWayBatch/ring/spin/64", PipeOneWayBatch, Kind::kRing, WaitMode::kSpin);
  RegisterBenchmark("BM_PipeOneWay/socket/adaptive/64", PipeOneWay, Kind::kSocket, WaitMode::kAdaptive);
  RegisterBenchmark("BM_PipeOneWayBatch/socket/adaptive/64", PipeOneWayBatch, Kind::kSocket, WaitMode::kAdaptive);
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc

int main(int argc, char** argv) {
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::fprintf(stderr, "pipe_benchmark: this build is not optimised, or sanitized; its figures would mean nothing\n");
  return 1;
#endif
  std::vector<char*> arguments(argv, argv + argc);
  std::string quick = "--benchmark_min_time=0.05";
  for (char*& argument : arguments) {
    if (absl::string_view(argument) == "--quick") argument = quick.data();
  }
  argc = static_cast<int>(arguments.size());
  benchmark::Initialize(&argc, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(argc, arguments.data())) return 1;
  ipc::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
