#include "perf_demo/asker.h"

#include <capnp/message.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ipc_session/apps.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/channel_options.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "perf_demo/message_stream.h"
#include "perf_demo/sizes.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

// How long the reason of a broken connection may take to be known.
constexpr absl::Duration kEndTime = absl::Seconds(1);

class ChannelAsker final : public Asker {
 public:
  ChannelAsker(std::shared_ptr<ipc::Session> session, ipc::WaitMode wait)
      : session_(std::move(session)),
        channel_(ipc::StructuredChannel<Body>::Upgrade(session_->TakeChannel(0), *session_,
                                                       {.max_heap_message_bytes = 2 * kMaxFileBytes})) {
    channel_.set_wait_mode(wait);
  }

  absl::StatusOr<Body::Reader> Ask(const std::string& file_name, ipc::Deadline deadline) override {
    ipc::Message<Body> request = channel_.NewMessage();
    request.body().initGetCacheReq().setFileName(file_name);
    SLUICE_ASSIGN_OR_RETURN(answer_, channel_.Request(std::move(request), deadline));
    return answer_->body();
  }

  void Release() override { answer_.reset(); }
  pid_t server_pid() const override { return session_->peer().credentials.pid; }

 private:
  const std::shared_ptr<ipc::Session> session_;
  ipc::StructuredChannel<Body> channel_;
  std::optional<ipc::Incoming<Body>> answer_;
};

class StreamAsker final : public Asker {
 public:
  StreamAsker(std::shared_ptr<ipc::Session> session, ipc::Fd socket, ipc::WaitMode wait)
      : session_(std::move(session)), stream_(std::move(socket), wait) {}

  absl::StatusOr<Body::Reader> Ask(const std::string& file_name, ipc::Deadline deadline) override {
    capnp::word scratch[64] = {};
    capnp::MallocMessageBuilder request(kj::arrayPtr(scratch, 64));
    request.initRoot<Body>().initGetCacheReq().setFileName(file_name);
    absl::Status sent = stream_.Send(request, deadline);
    if (!sent.ok()) return EndOr(sent);
    const absl::StatusOr<capnp::MessageReader*> answer = stream_.Receive(deadline);
    if (!answer.ok()) return EndOr(answer.status());
    return (*answer)->getRoot<Body>();
  }

  // The stream's buffer is kept for the next one.
  void Release() override {}
  pid_t server_pid() const override { return session_->peer().credentials.pid; }

 private:
  // Why the session ended, which says more than a broken stream; `error` if it has not.
  absl::Status EndOr(const absl::Status& error) {
    if (absl::IsDeadlineExceeded(error)) return error;
    const absl::Status end = session_->WaitForEnd(kEndTime);
    return absl::IsDeadlineExceeded(end) ? error : end;
  }

  const std::shared_ptr<ipc::Session> session_;
  MessageStream stream_;
};

absl::StatusOr<std::unique_ptr<Asker>> AskOverChannel(std::shared_ptr<ipc::Session> session,
                                                      const AskerOptions& options) {
  return std::make_unique<ChannelAsker>(std::move(session), options.wait);
}

// The server sends a stream socket over channel 0.
absl::StatusOr<std::unique_ptr<Asker>> AskOverStream(std::shared_ptr<ipc::Session> session,
                                                     const AskerOptions& options) {
  ipc::Channel channel = session->TakeChannel(0);
  std::vector<ipc::Fd> sockets;
  SLUICE_RETURN_IF_ERROR(channel.Receive({}, &sockets, options.timeout).status());
  if (sockets.size() != 1) {
    return absl::DataLossError("the server handed over no stream socket; give both programs the same --mode");
  }
  return std::make_unique<StreamAsker>(std::move(session), std::move(sockets[0]), options.wait);
}

template <typename Session>
absl::StatusOr<std::shared_ptr<ipc::Session>> OpenSession(const AskerOptions& options) {
  ipc::App self = kCacheClient;
  if (!options.app.empty()) self.name = options.app;
  ipc::SessionOptions session_options;
  session_options.run_folder = options.run_folder;
  session_options.deadline = options.timeout;
  absl::StatusOr<Session> session = Session::Connect(self, kCacheServer, session_options);
  if (ipc::ReasonOf(session.status()) == ipc::Reason::kNoServer) {
    return absl::UnavailableError(
        absl::StrCat(session.status().message(), "; start cache_server first, with the same --run_folder"));
  }
  if (!session.ok()) return session.status();
  return std::make_shared<Session>(*std::move(session));
}

absl::StatusOr<std::shared_ptr<ipc::Session>> OpenSessionFor(const AskerOptions& options) {
  namespace session = ipc::session;
  switch (options.mode) {
    case Mode::kSocket:
    case Mode::kHeap:
      return OpenSession<session::heap::ClientSession>(options);
    case Mode::kClassic:
      return OpenSession<session::shm::classic::ClientSession>(options);
    case Mode::kJemalloc:
      return OpenSession<session::shm::jemalloc::ClientSession>(options);
  }
  return absl::InternalError("there is no such mode");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Asker>> Connect(const AskerOptions& options) {
  SLUICE_ASSIGN_OR_RETURN(std::shared_ptr<ipc::Session> session, OpenSessionFor(options));
  return options.mode == Mode::kSocket ? AskOverStream(std::move(session), options)
                                       : AskOverChannel(std::move(session), options);
}

}  // namespace cache_demo
