#include "ipc_transport/testing/benchmark_floors.h"

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "benchmark/benchmark.h"
#include "ipc_transport/internal/spinner.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr size_t kBytes = 64;
using Message = std::array<std::byte, kBytes>;

}  // namespace

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

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
