#include "dictionary.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dictionary.capnp.h"
#include "ipc_session/apps.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"

namespace dictionary {
namespace {

namespace memory = ipc::session::shm::jemalloc;

constexpr ipc::App kReader{.name = "dictionary_reader"};
constexpr absl::string_view kMayRead[] = {kReader.name};
constexpr ipc::ServerApp kServer{.app = {.name = "dictionary_server"}, .allowed_clients = kMayRead};

}  // namespace

absl::Status ServeOnce(const std::string& run_folder, const std::vector<std::string>& words) {
  absl::StatusOr<memory::Server> server =
      memory::Server::Listen(kServer, {.clients = {kReader}, .session = {.run_folder = run_folder}});
  if (!server.ok()) return server.status();
  absl::StatusOr<memory::Session> session = server->Accept(absl::Seconds(30));
  if (!session.ok()) return session.status();
  auto channel = ipc::StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);

  absl::StatusOr<ipc::Incoming<Body>> request = channel.Receive();
  if (!request.ok()) return request.status();
  if (!request->body().isPrefix()) return absl::InvalidArgumentError("not a question");
  const std::string prefix = request->body().getPrefix().cStr();
  std::vector<const std::string*> found;
  for (const std::string& word : words) {
    if (absl::StartsWith(word, prefix)) found.push_back(&word);
  }
  ipc::Message<Body> answer = channel.NewMessage();
  auto list = answer.body().initWords(found.size());
  for (size_t i = 0; i < found.size(); ++i) list.set(i, *found[i]);
  return request->Reply(std::move(answer));
}

absl::StatusOr<std::vector<std::string>> Find(const std::string& run_folder, const std::string& prefix) {
  absl::StatusOr<memory::ClientSession> session =
      memory::ClientSession::Connect(kReader, kServer, {.run_folder = run_folder, .wait_for_server = true});
  if (!session.ok()) return session.status();
  auto channel = ipc::StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);

  ipc::Message<Body> request = channel.NewMessage();
  request.body().setPrefix(prefix);
  absl::StatusOr<ipc::Incoming<Body>> answer = channel.Request(std::move(request));
  if (!answer.ok()) return answer.status();
  if (!answer->body().isWords()) return absl::DataLossError("not an answer");
  std::vector<std::string> words;
  for (const capnp::Text::Reader word : answer->body().getWords()) words.emplace_back(word.cStr());
  return words;
}

}  // namespace dictionary
