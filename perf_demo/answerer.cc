#include "perf_demo/answerer.h"

#include <capnp/message.h>

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/status_macros.h"
#include "perf_demo/build_answer.h"
#include "perf_demo/cache.capnp.h"
#include "perf_demo/message_stream.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

// The file that `body` asks for.
absl::StatusOr<std::string> RequestedFile(Body::Reader body) {
  if (!body.isGetCacheReq()) return absl::DataLossError("the client sent something else than a request for a file");
  return std::string(body.getGetCacheReq().getFileName());
}

class ChannelAnswerer final : public Answerer {
 public:
  ChannelAnswerer(ipc::Session& session, ipc::WaitMode wait)
      : channel_(ipc::StructuredChannel<Body>::Upgrade(session.TakeChannel(0), session)) {
    channel_.set_wait_mode(wait);
  }

  absl::StatusOr<std::string> NextRequest() override {
    request_.reset();
    SLUICE_ASSIGN_OR_RETURN(request_, channel_.Receive(ipc::Deadline::Never()));
    return RequestedFile(request_->body());
  }

  absl::Status Build(const File& file, absl::FunctionRef<absl::Status()> go_on) override {
    ipc::Message<Body> message = channel_.NewMessage();
    const auto memory_lasts = [&] {
      const absl::Status status = message.status();
      return status.ok() ? go_on() : status;
    };
    SLUICE_RETURN_IF_ERROR(BuildAnswer(file, memory_lasts, message.body()));
    SLUICE_ASSIGN_OR_RETURN(ipc::FrozenMessage<Body> frozen, std::move(message).Freeze());
    answers_.emplace(file.name(), std::move(frozen));
    return absl::OkStatus();
  }

  bool Has(const std::string& file_name) const override { return answers_.contains(file_name); }

  absl::Status Answer(const std::string& file_name) override {
    return request_->Reply(answers_.at(file_name), kAnswerTime);
  }

  absl::Status Refuse(const absl::Status& error) override {
    ipc::Message<Body> answer = channel_.NewMessage();
    BuildError(error, answer.body());
    return request_->Reply(std::move(answer), kAnswerTime);
  }

 private:
  ipc::StructuredChannel<Body> channel_;
  std::optional<ipc::Incoming<Body>> request_;
  absl::flat_hash_map<std::string, ipc::FrozenMessage<Body>> answers_;
};

class StreamAnswerer final : public Answerer {
 public:
  StreamAnswerer(ipc::Fd socket, ipc::WaitMode wait) : stream_(std::move(socket), wait) {}

  absl::StatusOr<std::string> NextRequest() override {
    SLUICE_ASSIGN_OR_RETURN(capnp::MessageReader* const request, stream_.Receive(ipc::Deadline::Never()));
    return RequestedFile(request->getRoot<Body>());
  }

  absl::Status Build(const File& file, absl::FunctionRef<absl::Status()> go_on) override {
    auto message = std::make_unique<capnp::MallocMessageBuilder>();
    SLUICE_RETURN_IF_ERROR(BuildAnswer(file, go_on, message->getRoot<Body>()));
    answers_.emplace(file.name(), std::move(message));
    return absl::OkStatus();
  }

  bool Has(const std::string& file_name) const override { return answers_.contains(file_name); }

  absl::Status Answer(const std::string& file_name) override {
    return stream_.Send(*answers_.at(file_name), kAnswerTime);
  }

  absl::Status Refuse(const absl::Status& error) override {
    capnp::MallocMessageBuilder answer;
    BuildError(error, answer.getRoot<Body>());
    return stream_.Send(answer, kAnswerTime);
  }

 private:
  MessageStream stream_;
  absl::flat_hash_map<std::string, std::unique_ptr<capnp::MallocMessageBuilder>> answers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Answerer>> AnswerOverChannel(ipc::Session& session, ipc::WaitMode wait) {
  return std::make_unique<ChannelAnswerer>(session, wait);
}

absl::StatusOr<std::unique_ptr<Answerer>> AnswerOverStream(ipc::Session& session, ipc::WaitMode wait) {
  SLUICE_ASSIGN_OR_RETURN(auto ends, MessageStream::MakeSockets());
  ipc::Channel channel = session.TakeChannel(0);
  const ipc::FdView clients = ends.second;
  SLUICE_RETURN_IF_ERROR(channel.Send({}, absl::MakeConstSpan(&clients, 1)));
  return std::make_unique<StreamAnswerer>(std::move(ends.first), wait);
}

}  // namespace cache_demo
