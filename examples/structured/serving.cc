#include "examples/structured/serving.h"

#include <sys/epoll.h>

#include <cerrno>
#include <cstddef>
#include <thread>
#include <utility>

#include "examples/structured/asking.h"
#include "examples/structured/files.capnp.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/status.h"

namespace files {

// [guide
FileServer::FileServer(FileChannel channel, const Files& files, std::ostream& log)
    : files_(files), log_(log), channel_(std::move(channel)) {
  channel_.Once(Body::LOG, [this](ipc::Incoming<Body> message) {  // The first line alone.
    log_ << "hello, " << message.body().getLog().cStr() << "\n";
    channel_.On(Body::LOG, [this](ipc::Incoming<Body> line) { log_ << line.body().getLog().cStr() << "\n"; });
  });
  channel_.On(Body::READ, [this](ipc::Incoming<Body> request) {
    if (absl::Status sent = AnswerRead(channel_, files_, request); !sent.ok()) log_ << sent << "\n";
  });
  channel_.OnOther([this](ipc::Incoming<Body>) { log_ << "what was that?\n"; });
  channel_.OnEnd([this](const absl::Status& end) {
    if (ipc::ReasonOf(end) != ipc::Reason::kGoodbye) end_ = end;
    log_ << "the client is gone\n";
  });
}

absl::Status FileServer::Run() {
  while (channel_.Dispatch(ipc::Deadline::Never()).ok()) {
  }
  return end_;
}
// guide]

// [guide
absl::Status RunAll(absl::Span<FileServer* const> servers) {
  const ipc::Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ipc::FromErrno(errno, "make an epoll descriptor");
  for (FileServer* const server : servers) {
    const absl::StatusOr<ipc::FdView> fd = server->channel().event_fd();
    if (!fd.ok()) return fd.status();
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = server}};
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd->get(), &event) != 0) return ipc::FromErrno(errno, "watch a channel");
  }
  for (size_t left = servers.size(); left > 0;) {
    epoll_event event;
    if (epoll_wait(epoll.get(), &event, 1, -1) != 1) continue;  // A signal.
    FileServer& server = *static_cast<FileServer*>(event.data.ptr);
    if (server.channel().TryDispatch().ok()) continue;  // Ran a handler, or there was none to run.
    --left;
    const absl::StatusOr<ipc::FdView> fd = server.channel().event_fd();
    if (fd.ok()) epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd->get(), nullptr);
  }
  return absl::OkStatus();
}
// guide]

// [guide
std::vector<absl::StatusOr<std::string>> ReadInThreads(FileChannel& channel, absl::Span<const std::string> names) {
  std::vector<absl::StatusOr<std::string>> texts(names.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < names.size(); ++i) {
    threads.emplace_back([&, i] { texts[i] = Read(channel, names[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  return texts;
}

void ServeInThreads(FileChannel& channel, const Files& files, int count) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&] { ServeReads(channel, files).IgnoreError(); });
  }
  for (std::thread& thread : threads) thread.join();
}
// guide]

}  // namespace files
