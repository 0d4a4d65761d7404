#include "examples/structured/asking.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_util/deadline.h"
#include "ipc_util/status.h"

namespace files {

// [guide
absl::Status Log(FileChannel& channel, const std::string& line) {
  ipc::Message<Body> message = channel.NewMessage();
  message.body().setLog(line);
  return channel.Send(std::move(message), absl::Seconds(1));
}

absl::Status WriteLog(FileChannel& channel, std::ostream& out) {
  while (true) {
    absl::StatusOr<ipc::Incoming<Body>> message = channel.Receive(ipc::Deadline::Never());
    if (ipc::ReasonOf(message.status()) == ipc::Reason::kGoodbye) return absl::OkStatus();
    if (!message.ok()) return message.status();
    if (message->body().isLog()) out << message->body().getLog().cStr() << "\n";
  }
}
// guide]

namespace {

// [guide
absl::StatusOr<std::string> TextOf(const absl::StatusOr<ipc::Incoming<Body>>& answer) {
  if (!answer.ok()) return answer.status();
  if (answer->body().isFailure()) return absl::NotFoundError(answer->body().getFailure().cStr());
  if (!answer->body().isText()) return absl::InvalidArgumentError("a text was to come");
  return std::string(answer->body().getText().cStr());
}
// guide]

}  // namespace

// [guide
absl::StatusOr<std::string> Read(FileChannel& channel, const std::string& name) {
  ipc::Message<Body> request = channel.NewMessage();
  request.body().setRead(name);
  return TextOf(channel.Request(std::move(request), absl::Seconds(5)));
}
// guide]

// [guide
absl::Status AnswerRead(FileChannel& channel, const Files& files, ipc::Incoming<Body>& request) {
  ipc::Message<Body> answer = channel.NewMessage();
  const auto file = files.find(request.body().getRead().cStr());
  if (file == files.end()) {
    answer.body().setFailure("there is no such file");
  } else {
    answer.body().setText(file->second);
  }
  return request.Reply(std::move(answer));
}

absl::Status ServeReads(FileChannel& channel, const Files& files) {
  while (true) {
    absl::StatusOr<ipc::Incoming<Body>> request = channel.Receive(ipc::Deadline::Never());
    if (ipc::ReasonOf(request.status()) == ipc::Reason::kGoodbye) return absl::OkStatus();
    if (!request.ok()) return request.status();
    if (!request->body().isRead()) return absl::InvalidArgumentError("a name was to come");
    if (absl::Status sent = AnswerRead(channel, files, *request); !sent.ok()) return sent;
  }
}
// guide]

// [guide
absl::Status ReadThen(FileChannel& channel, const std::string& name,
                      absl::AnyInvocable<void(absl::StatusOr<std::string>)> then) {
  ipc::Message<Body> request = channel.NewMessage();
  request.body().setRead(name);
  auto on_answer = [then = std::move(then)](absl::StatusOr<ipc::Incoming<Body>> answer) mutable {
    then(TextOf(answer));
  };
  return channel.Request(std::move(request), std::move(on_answer), absl::Seconds(5));
}
// guide]

// [guide
absl::StatusOr<std::vector<std::string>> List(FileChannel& channel, const std::string& prefix) {
  ipc::Message<Body> request = channel.NewMessage();
  request.body().setList(prefix);
  absl::StatusOr<ipc::Answers<Body>> answers = channel.RequestMany(std::move(request), absl::Seconds(5));
  if (!answers.ok()) return answers.status();
  std::vector<std::string> names;
  while (true) {
    absl::StatusOr<std::optional<ipc::Incoming<Body>>> answer = answers->Next(absl::Seconds(5));
    if (!answer.ok()) return answer.status();
    if (!answer->has_value()) return names;  // That was the last.
    if ((*answer)->body().isName()) names.emplace_back((*answer)->body().getName().cStr());
  }
}
// guide]

// [guide
absl::Status AnswerList(FileChannel& channel, const Files& files, ipc::Incoming<Body>& request) {
  for (const auto& [name, text] : files) {
    if (!absl::StartsWith(name, request.body().getList().cStr())) continue;
    ipc::Message<Body> answer = channel.NewMessage();
    answer.body().setName(name);
    if (absl::Status sent = request.ReplyMore(std::move(answer)); !sent.ok()) return sent;
  }
  ipc::Message<Body> last = channel.NewMessage();
  last.body().setDone();
  return request.Reply(std::move(last));
}
// guide]

}  // namespace files
