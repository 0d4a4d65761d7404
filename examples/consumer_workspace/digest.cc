#include "digest.h"

#include <xxhash.h>

#include <utility>

#include "absl/time/time.h"
#include "digest.capnp.h"
#include "ipc_session/apps.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"

namespace digest {
namespace {

namespace memory = ipc::session::shm::classic;

constexpr ipc::App kAsker{.name = "digest_asker"};
constexpr absl::string_view kMayAsk[] = {kAsker.name};
constexpr ipc::ServerApp kServer{.app = {.name = "digest_server"}, .allowed_clients = kMayAsk};

}  // namespace

absl::Status ServeOnce(const std::string& run_folder) {
  absl::StatusOr<memory::Server> server =
      memory::Server::Listen(kServer, {.clients = {kAsker}, .session = {.run_folder = run_folder}});
  if (!server.ok()) return server.status();
  absl::StatusOr<memory::Session> session = server->Accept(absl::Seconds(30));
  if (!session.ok()) return session.status();
  auto channel = ipc::StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);

  absl::StatusOr<ipc::Incoming<Body>> request = channel.Receive();
  if (!request.ok()) return request.status();
  const capnp::Text::Reader text = request->body().getText();
  ipc::Message<Body> answer = channel.NewMessage();
  answer.body().setDigest(XXH64(text.begin(), text.size(), 0));
  return request->Reply(std::move(answer));
}

absl::StatusOr<uint64_t> Ask(const std::string& run_folder, absl::string_view text) {
  absl::StatusOr<memory::ClientSession> session =
      memory::ClientSession::Connect(kAsker, kServer, {.run_folder = run_folder, .wait_for_server = true});
  if (!session.ok()) return session.status();
  auto channel = ipc::StructuredChannel<Body>::Upgrade(session->TakeChannel(0), *session);

  ipc::Message<Body> request = channel.NewMessage();
  request.body().setText(kj::StringPtr(std::string(text).c_str(), text.size()));
  absl::StatusOr<ipc::Incoming<Body>> answer = channel.Request(std::move(request));
  if (!answer.ok()) return answer.status();
  return answer->body().getDigest();
}

}  // namespace digest
