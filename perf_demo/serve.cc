#include "perf_demo/serve.h"

#include <kj/exception.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ipc_session/server.h"
#include "ipc_session/session.h"
#include "ipc_session/session_terms.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_util/deadline.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/log.h"
#include "ipc_util/status.h"
#include "perf_demo/answerer.h"
#include "perf_demo/memory.h"
#include "perf_demo/sizes.h"
#include "perf_demo/universe.h"

namespace cache_demo {
namespace {

// The most that ipc::SessionOptions allows.
constexpr uint64_t kMaxArenaBytes = uint64_t{128} << 30;
// How long the reason of a broken connection may take to be known.
constexpr absl::Duration kEndTime = absl::Seconds(1);

using MakeAnswerer = absl::StatusOr<std::unique_ptr<Answerer>> (*)(ipc::Session& session, ipc::WaitMode wait);

// RESOURCE_EXHAUSTED: `file` does not fit in beside the `held_bytes`.
absl::Status CheckRoom(const File& file, uint64_t held_bytes, const ServeOptions& options) {
  if (options.memory_bytes != 0 && file.bytes() > options.memory_bytes - std::min(options.memory_bytes, held_bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("file ", file.name(), " has ", file.bytes(), " bytes, ",
                                                     held_bytes, " are held, and --memory allows ",
                                                     FormatSize(options.memory_bytes), "; raise it"));
  }
  // Without shared memory the client, who is on this machine, makes a copy.
  const uint64_t needed_bytes = IsZeroCopy(options.mode) ? file.bytes() : 2 * file.bytes();
  SLUICE_ASSIGN_OR_RETURN(const MachineMemory memory, MemoryOfMachine());
  if (needed_bytes <= memory.available_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "file ", file.name(), " takes ", needed_bytes, " bytes of memory in ", Name(options.mode),
      " mode, and this machine has ", memory.available_bytes, " left; free some, or ask for a smaller file"));
}

// Serves one client until it leaves.
class Service {
 public:
  Service(ipc::Session& session, Answerer& answerer, const FileSource& files, const ServeOptions& options)
      : session_(session), answerer_(answerer), files_(files), options_(options) {}

  // OK: it left in order, and got all that it asked for.
  absl::Status Run() {
    const absl::Status end = AnswerUntilEnd();
    if (ipc::ReasonOf(end) != ipc::Reason::kGoodbye) return end;
    return refusal_;
  }

 private:
  absl::Status AnswerUntilEnd() {
    while (true) {
      const absl::StatusOr<std::string> name = answerer_.NextRequest();
      if (!name.ok()) return EndOr(name.status());
      if (const absl::Status sent = AnswerOne(*name); !sent.ok()) return EndOr(sent);
    }
  }

  absl::Status AnswerOne(const std::string& name) {
    if (answerer_.Has(name)) return answerer_.Answer(name);
    const absl::Status built = Build(name);
    if (built.ok()) return answerer_.Answer(name);
    SLUICE_RETURN_IF_ERROR(session_.status());
    refusal_.Update(built);
    return answerer_.Refuse(built);
  }

  absl::Status Build(const std::string& name) {
    SLUICE_ASSIGN_OR_RETURN(const File file, files_.Open(name));
    SLUICE_RETURN_IF_ERROR(CheckRoom(file, held_bytes_, options_));
    // Where a message cannot tell of an error, Cap'n Proto and the heap throw.
    try {
      SLUICE_RETURN_IF_ERROR(answerer_.Build(file, [this] { return session_.status(); }));
    } catch (const std::bad_alloc&) {
      return NoMemoryFor(file, "the heap is exhausted");
    } catch (const kj::Exception& error) {
      return NoMemoryFor(file, error.getDescription().cStr());
    }
    held_bytes_ += file.bytes();
    return absl::OkStatus();
  }

  static absl::Status NoMemoryFor(const File& file, absl::string_view why) {
    return absl::ResourceExhaustedError(absl::StrCat("there is no memory for file ", file.name(), " of ", file.bytes(),
                                                     " bytes: ", why, "; free memory, or raise RLIMIT_AS"));
  }

  // Why the session ended, which says more than a broken connection; `error` if it has not.
  absl::Status EndOr(const absl::Status& error) {
    if (!absl::IsUnavailable(error) && !absl::IsOutOfRange(error) && !absl::IsDataLoss(error)) return error;
    const absl::Status end = session_.WaitForEnd(kEndTime);
    return absl::IsDeadlineExceeded(end) ? error : end;
  }

  ipc::Session& session_;
  Answerer& answerer_;
  const FileSource& files_;
  const ServeOptions& options_;
  uint64_t held_bytes_ = 0;
  absl::Status refusal_;  // The first.
};

ipc::ServerOptions ToServerOptions(const FileSource& files, const ServeOptions& options) {
  ipc::ServerOptions result = {.clients = {kCacheClient}};
  result.session.run_folder = options.run_folder;
  // Room for all of them, and for what the segments of one in the making are too large.
  result.session.arena_bytes = std::clamp(2 * files.total_bytes(), result.session.arena_bytes, kMaxArenaBytes);
  return result;
}

template <typename Server>
absl::Status ServeBy(MakeAnswerer make_answerer, const FileSource& files, const ServeOptions& options,
                     absl::FunctionRef<void()> on_listening) {
  SLUICE_ASSIGN_OR_RETURN(Server server, Server::Listen(kCacheServer, ToServerOptions(files, options)));
  on_listening();
  absl::Status result;
  for (int served = 1;; ++served) {
    SLUICE_ASSIGN_OR_RETURN(auto session, server.Accept(ipc::Deadline::Never()));
    const std::string client =
        absl::StrCat("serve client ", session.peer().app, " (", ipc::ToString(session.peer().credentials), ")");
    absl::StatusOr<std::unique_ptr<Answerer>> answerer = make_answerer(session, options.wait);
    const absl::Status served_status =
        answerer.ok() ? Service(session, **answerer, files, options).Run() : answerer.status();
    result.Update(ipc::WithContext(served_status, client));
    if (served == options.clients) return result;
    if (!served_status.ok()) ipc::Log(ipc::LogLevel::kError, ipc::WithContext(served_status, client).message());
  }
}

}  // namespace

absl::Status Serve(const FileSource& files, const ServeOptions& options, absl::FunctionRef<void()> on_listening) {
  namespace session = ipc::session;
  switch (options.mode) {
    case Mode::kSocket:
      return ServeBy<session::heap::Server>(&AnswerOverStream, files, options, on_listening);
    case Mode::kHeap:
      return ServeBy<session::heap::Server>(&AnswerOverChannel, files, options, on_listening);
    case Mode::kClassic:
      return ServeBy<session::shm::classic::Server>(&AnswerOverChannel, files, options, on_listening);
    case Mode::kJemalloc:
      return ServeBy<session::shm::jemalloc::Server>(&AnswerOverChannel, files, options, on_listening);
  }
  return absl::InternalError("there is no such mode");
}

}  // namespace cache_demo
