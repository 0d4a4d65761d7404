// What a structured channel costs beside bare code that does the least, in the same run: requests, streams, and large
// messages that are built, read and freed, between two processes, each on a core of its own.
//
//   ./bazelw run //perf_demo:channel_benchmark            # --quick: within 20 s
//
// BM_RequestRoundTrip: the client builds a request for a file, sends it and gets the answer, reads its root, how many
// parts the file has and the size of the first, and gives it back; the server reads the request. The answer, with that
// many bytes of data, was built before. Nobody touches the data, but for `heap`, which copies it through the pipe.
// BM_MessageOneWay: the client builds and sends messages with 8 bytes of text, one by one; the server reads each.
// BM_BuildSendReadFree: the server builds each answer anew and writes every byte; the client reads every byte.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "ipc_session/session.h"
#include "ipc_transport/pipe.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/testing/benchmark_floors.h"
#include "ipc_transport/testing/benchmark_main.h"
#include "ipc_transport/testing/benchmark_processes.h"
#include "ipc_transport/testing/benchmark_samples.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/temp_dir.h"
#include "perf_demo/benchmark_session.h"
#include "perf_demo/build_answer.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/choices.h"
#include "perf_demo/file_source.h"
#include "perf_demo/read_answer.h"

namespace cache_demo {
namespace {

using ::ipc::WaitMode;
using ::ipc::testing::Check;
using ::ipc::testing::Die;
using Channel = ::ipc::StructuredChannel<Body>;

constexpr Mode kModes[] = {Mode::kHeap, Mode::kClassic, Mode::kJemalloc};
constexpr uint64_t kLargeBytes = 1'000'000'000;
constexpr uint64_t kSizes[] = {8, 100'000, kLargeBytes};
constexpr uint64_t kReadBytes = 1'000'000;

Channel MakeChannel(ipc::Session& session, WaitMode wait) {
  Channel channel = Channel::Upgrade(session.TakeChannel(0), session);
  channel.set_wait_mode(wait);
  return channel;
}

// What the server does: prepares itself, calls `ready`, and serves until the client has gone.
using Service = std::function<void(Channel& channel, absl::FunctionRef<void()> ready)>;

// The server in a process of its own, and this side of the channel to it. Ready when it is made.
class Server {
 public:
  Server(Mode mode, WaitMode wait, const Service& service)
      : process_(ipc::testing::Cores::kOneEach,
                 [&](ipc::Fd socket) {
                   ipc::Session session = AcceptSession(mode, folder_.path(), socket);
                   Channel channel = MakeChannel(session, wait);
                   service(channel, [&] { Tell(socket); });
                 }),
        session_(ConnectSession(mode, folder_.path(), process_.socket())),
        channel_(MakeChannel(session_, wait)) {
    Hear(process_.socket());
  }

  Channel& channel() { return channel_; }

 private:
  const ipc::testing::TempDir folder_;
  ipc::testing::Peer process_;
  ipc::Session session_;
  Channel channel_;
};

// Calls `handle` with each message until the client has gone.
template <typename Handle>
void HandleAll(Channel& channel, Handle handle) {
  while (true) {
    absl::StatusOr<ipc::Incoming<Body>> message = channel.Receive(ipc::Deadline::Never());
    if (absl::IsUnavailable(message.status())) return;
    Check(message.status());
    if (!message->body().isGetCacheReq()) Die("the client sent something else than a request");
    benchmark::DoNotOptimize(message->body().getGetCacheReq().getFileName().size());
    handle(*message);
  }
}

// Answers each request with the same file of so many bytes.
void ServePrepared(uint64_t bytes, Channel& channel, absl::FunctionRef<void()> ready) {
  const FileSource files = FileSource::OfSizes({bytes});
  const absl::StatusOr<File> file = files.Open(files.entries()[0].name);
  Check(file.status());
  ipc::Message<Body> message = channel.NewMessage();
  Check(BuildAnswer(*file, [] { return absl::OkStatus(); }, message.body()));
  const absl::StatusOr<ipc::FrozenMessage<Body>> answer = std::move(message).Freeze();
  Check(answer.status());
  ready();
  HandleAll(channel, [&](ipc::Incoming<Body>& request) { Check(request.Reply(*answer)); });
}

// Builds each answer anew, with other bytes than the last.
void ServeBuilt(uint64_t bytes, Channel& channel, absl::FunctionRef<void()> ready) {
  ready();
  int value = 0;
  HandleAll(channel, [&](ipc::Incoming<Body>& request) {
    ipc::Message<Body> answer = channel.NewMessage();
    FilePart::Builder part = answer.body().initGetCacheRsp().initFileParts(1)[0];
    capnp::Data::Builder data = part.initData(static_cast<capnp::uint>(bytes));
    std::memset(data.begin(), ++value, data.size());
    part.setSize(bytes);
    Check(request.Reply(std::move(answer)));
  });
}

void ServeNothing(Channel& channel, absl::FunctionRef<void()> ready) {
  ready();
  HandleAll(channel, [](const ipc::Incoming<Body>&) {});
}

ipc::Message<Body> MakeRequest(Channel& channel) {
  ipc::Message<Body> request = channel.NewMessage();
  request.body().initGetCacheReq().setFileName("7 bytes");  // 8 with the zero at the end.
  return request;
}

// Asks, hands the file to `read`, and gives the answer back.
template <typename Read>
void Ask(Channel& channel, Read read) {
  const absl::StatusOr<ipc::Incoming<Body>> answer = channel.Request(MakeRequest(channel));
  Check(answer.status());
  if (!answer->body().isGetCacheRsp()) Die("the server sent something else than a file");
  read(answer->body().getGetCacheRsp());
}

void RequestRoundTrip(benchmark::State& state, Channel& channel) {
  ipc::testing::TimeRoundTrips(state, [&] {
    Ask(channel, [](GetCacheRsp::Reader file) {
      const capnp::List<FilePart>::Reader parts = file.getFileParts();
      benchmark::DoNotOptimize(parts.size());
      benchmark::DoNotOptimize(parts[0].getSize());
    });
  });
}

void BuildSendReadFree(benchmark::State& state, Channel& channel) {
  ipc::testing::TimeRoundTrips(
      state, [&] { Ask(channel, [](GetCacheRsp::Reader file) { benchmark::DoNotOptimize(SumOfBytes(file)); }); });
}

void MessageOneWay(benchmark::State& state, Channel& channel) {
  ipc::testing::TimeStream(state, 1, [&] { Check(channel.Send(MakeRequest(channel))); });
}

// Keeps the server of the row that runs: google benchmark calls a row several times, and a large answer takes long to
// build.
class Benchmark {
 public:
  void AddFloor(const std::string& name, std::function<void(benchmark::State&)> run) {
    benchmark::RegisterBenchmark(name.c_str(), [this, run = std::move(run)](benchmark::State& state) {
      StopServer();
      run(state);
    });
  }

  void AddRow(const std::string& name, Mode mode, WaitMode wait, Service service,
              std::function<void(benchmark::State&, Channel&)> run) {
    benchmark::RegisterBenchmark(name.c_str(), [this, name, mode, wait, service = std::move(service),
                                                run = std::move(run)](benchmark::State& state) {
      if (row_ != name) {
        StopServer();
        server_ = std::make_unique<Server>(mode, wait, service);
        row_ = name;
      }
      run(state, server_->channel());
    });
  }

 private:
  void StopServer() {
    server_.reset();
    row_.clear();
  }

  std::string row_;
  std::unique_ptr<Server> server_;
};

void AddRoundTrips(Benchmark& rows, WaitMode wait, ipc::testing::Rows which) {
  for (const Mode mode : kModes) {
    for (const uint64_t bytes : kSizes) {
      // Takes seconds a round trip.
      if (mode == Mode::kHeap && bytes == kLargeBytes && which == ipc::testing::Rows::kQuick) continue;
      rows.AddRow(
          absl::StrCat("BM_RequestRoundTrip/", Name(mode), "/", Name(wait), "/", bytes), mode, wait,
          [bytes](Channel& channel, absl::FunctionRef<void()> ready) { ServePrepared(bytes, channel, ready); },
          &RequestRoundTrip);
    }
  }
}

// Each floor stands beside those that are measured by it.
void AddAll(Benchmark& rows, ipc::testing::Rows which) {
  rows.AddFloor("BM_FloorRoundTrip/spin/64", &ipc::testing::FloorSpinRoundTrip);
  AddRoundTrips(rows, WaitMode::kSpin, which);
  rows.AddFloor("BM_FloorRoundTrip/seqpacket/64", [](benchmark::State& state) {
    ipc::testing::FloorSocketRoundTrip(state, ipc::testing::Cores::kOneEach);
  });
  AddRoundTrips(rows, WaitMode::kSleep, which);
  rows.AddFloor("BM_FloorOneWay/spin/64", &ipc::testing::FloorSpinOneWay);
  for (const Mode mode : kModes) {
    rows.AddRow(absl::StrCat("BM_MessageOneWay/", Name(mode), "/spin/8"), mode, WaitMode::kSpin, &ServeNothing,
                &MessageOneWay);
  }
  for (const Mode mode : kModes) {
    rows.AddRow(
        absl::StrCat("BM_BuildSendReadFree/", Name(mode), "/spin/", kReadBytes), mode, WaitMode::kSpin,
        [](Channel& channel, absl::FunctionRef<void()> ready) { ServeBuilt(kReadBytes, channel, ready); },
        &BuildSendReadFree);
  }
}

}  // namespace
}  // namespace cache_demo

int main(int argc, char** argv) {
  cache_demo::Benchmark rows;
  return ipc::testing::BenchmarkMain(argc, argv, [&](ipc::testing::Rows which) { cache_demo::AddAll(rows, which); });
}
