#include "ipc_transport/internal/mq_queue.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/internal/mq_names.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Names that others have taken are passed over; the system has fewer queues than this.
constexpr int kMaxNames = 300;

// What the kernel charges for a message besides its bytes; about.
constexpr size_t kChargePerMessage = 96;

std::string SysctlPath(absl::string_view limit) { return absl::StrCat("/proc/sys/fs/mqueue/", limit); }

// nullopt: /proc does not tell.
std::optional<uint64_t> ReadLimit(absl::string_view limit) {
  const Fd file(os::Open(SysctlPath(limit).c_str(), O_RDONLY | O_CLOEXEC, 0));
  std::array<char, 32> text;
  const ssize_t bytes = file.valid() ? os::Read(file.get(), text.data(), text.size()) : -1;
  uint64_t value;
  if (bytes <= 0 || !absl::SimpleAtoi(absl::StripAsciiWhitespace(absl::string_view(text.data(), bytes)), &value)) {
    return std::nullopt;
  }
  return value;
}

std::string ValueOf(absl::string_view limit) {
  const std::optional<uint64_t> value = ReadLimit(limit);
  return value.has_value() ? absl::StrCat("fs.mqueue.", limit, " = ", *value)
                           : absl::StrCat("fs.mqueue.", limit, " (", SysctlPath(limit), " cannot be read)");
}

// EINVAL: one of two limits is exceeded, or both.
absl::Status ShapeTooLarge(const MqShape& shape) {
  const bool many = shape.messages > ReadLimit("msg_max").value_or(0);
  const bool large = shape.message_bytes > ReadLimit("msgsize_max").value_or(0);
  if (!many && !large) return FromErrno(EINVAL, "make a message queue");
  std::string text = "make a message queue: ";
  if (many) {
    absl::StrAppend(&text, shape.messages, " messages (the depth, and one for the end) exceed ", ValueOf("msg_max"),
                    "; raise it (sysctl fs.mqueue.msg_max=", shape.messages, ") or ask for a smaller depth");
  }
  if (large) {
    absl::StrAppend(&text, many ? "; " : "", shape.message_bytes, " bytes a message exceed ", ValueOf("msgsize_max"),
                    "; raise it (sysctl fs.mqueue.msgsize_max=", shape.message_bytes, ") or ask for smaller messages");
  }
  return absl::ResourceExhaustedError(text);
}

// EMFILE: no descriptor, or no bytes for queues.
absl::Status NoFilesOrBytes(const MqShape& shape) {
  const Fd one_more(os::EventFd(0, EFD_CLOEXEC));
  if (!one_more.valid()) return FromErrno(EMFILE, "make a message queue");
  rlimit limit = {};
  getrlimit(RLIMIT_MSGQUEUE, &limit);
  return absl::ResourceExhaustedError(absl::StrCat(
      "make a message queue: about ", shape.messages * (shape.message_bytes + kChargePerMessage),
      " bytes do not fit below the ", limit.rlim_cur,
      " of RLIMIT_MSGQUEUE, which all queues of this user share; raise ",
      "it (ulimit -q, LimitMSGQUEUE=), close other pipes, or ask for a smaller depth or smaller messages"));
}

absl::Status CannotMake(int error, const MqShape& shape) {
  switch (error) {
    case EINVAL:
      return ShapeTooLarge(shape);
    case EMFILE:
      return NoFilesOrBytes(shape);
    case ENOSPC:
      return absl::ResourceExhaustedError(absl::StrCat(
          "make a message queue: the system has as many as ", ValueOf("queues_max"),
          " allows; raise it (sysctl fs.mqueue.queues_max), or remove what nobody uses (ls ", kMqFolder, ")"));
    case EEXIST:
      return absl::ResourceExhaustedError(absl::StrCat("make a message queue: others have taken ", kMaxNames,
                                                       " names that this process would use; look into ", kMqFolder));
    case ENOSYS:
      return absl::FailedPreconditionError(
          "make a message queue: this kernel has none; it needs CONFIG_POSIX_MQUEUE, or use another kind of pipe");
    default:
      return FromErrno(error, "make a message queue");
  }
}

// Removes its name when destroyed.
class NamedQueue {
 public:
  static absl::StatusOr<NamedQueue> Make(const MqShape& shape) {
    mq_attr attributes = {};
    attributes.mq_maxmsg = static_cast<long>(shape.messages);
    attributes.mq_msgsize = static_cast<long>(shape.message_bytes);
    int error = 0;
    for (int tries = 0; tries < kMaxNames; ++tries) {
      std::string name = absl::StrCat("/", MqName::Next().ToString());
      Fd writer(os::MqOpen(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes));
      if (writer.valid()) return NamedQueue(std::move(name), std::move(writer));
      error = errno;
      if (error != EEXIST) break;
    }
    return CannotMake(error, shape);
  }

  NamedQueue(NamedQueue&& other) noexcept : name_(std::exchange(other.name_, "")), writer_(std::move(other.writer_)) {}
  ~NamedQueue() {
    if (!name_.empty()) os::MqUnlink(name_.c_str());
  }

  Fd& writer() { return writer_; }

  absl::StatusOr<Fd> OpenReader() const {
    // The umask may have taken the owner's right to open it again.
    if (os::Fchmod(writer_.get(), 0600) != 0) return FromErrno(errno, "set the mode of a message queue");
    Fd reader(os::MqOpen(name_.c_str(), O_RDONLY | O_CLOEXEC, 0, nullptr));
    if (!reader.valid() && errno == EMFILE) return FromErrno(EMFILE, "open a message queue again");
    if (!reader.valid()) return FromErrno(errno, "open a message queue again; was its name removed?");
    struct stat made;
    struct stat opened;
    if (os::Fstat(writer_.get(), &made) != 0 || os::Fstat(reader.get(), &opened) != 0) {
      return FromErrno(errno, "look at a message queue");
    }
    if (made.st_ino == opened.st_ino && made.st_dev == opened.st_dev) return reader;
    return absl::UnavailableError("the name of a message queue was given to another one while it was made");
  }

 private:
  NamedQueue(std::string name, Fd writer) : name_(std::move(name)), writer_(std::move(writer)) {}

  std::string name_;
  Fd writer_;
};

}  // namespace

absl::StatusOr<MqQueue> MakeMqQueue(const MqShape& shape) {
  RemoveMqNamesOfTheDead(kMqFolder);
  MqQueue queue;
  {
    SLUICE_ASSIGN_OR_RETURN(NamedQueue named, NamedQueue::Make(shape));
    os::Point("mq.created");
    SLUICE_ASSIGN_OR_RETURN(queue.reader, named.OpenReader());
    os::Point("mq.opened");
    queue.writer = std::move(named.writer());
  }
  os::Point("mq.unlinked");
  return queue;
}

absl::Status CheckMqReader(FdView queue, const MqShape& shape) {
  mq_attr attributes;
  const int flags = os::Fcntl(queue.get(), F_GETFL, 0);
  if (os::MqGetAttr(queue.get(), &attributes) != 0 || flags < 0) {
    return absl::DataLossError("the peer's descriptor is no message queue");
  }
  if ((flags & O_ACCMODE) != O_RDONLY) {
    return absl::DataLossError("the peer's message queue is not opened for receiving alone");
  }
  if (attributes.mq_msgsize == static_cast<long>(shape.message_bytes) &&
      attributes.mq_maxmsg == static_cast<long>(shape.messages)) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the peer's message queue has ", attributes.mq_maxmsg, " messages of ",
                                          attributes.mq_msgsize, " bytes; announced were ", shape.messages, " of ",
                                          shape.message_bytes));
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
