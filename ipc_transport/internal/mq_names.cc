#include "ipc_transport/internal/mq_names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os.h"
#include "ipc_util/pid_fd.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

constexpr absl::string_view kPrefix = "sluice-mq";
constexpr absl::string_view kUnknownBoot = "00000000";

struct ProcessStat {
  pid_t pid;
  uint64_t start_time;
};

// The first bytes of a small file; empty if it cannot be read.
std::string ReadStart(const std::string& path) {
  const Fd file(os::Open(path.c_str(), O_RDONLY | O_CLOEXEC, 0));
  if (!file.valid()) return "";
  std::array<char, 1024> text;
  ssize_t bytes;
  do {
    bytes = os::Read(file.get(), text.data(), text.size());
  } while (bytes < 0 && errno == EINTR);
  return bytes > 0 ? std::string(text.data(), bytes) : "";
}

// proc(5): "pid (name) state ...", the start time in field 22; the name may have blanks and parentheses in it.
std::optional<ProcessStat> ReadStat(const std::string& process) {
  const std::string text = ReadStart(absl::StrCat("/proc/", process, "/stat"));
  const size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<absl::string_view> fields = absl::StrSplit(absl::string_view(text).substr(name_end + 2), ' ');
  constexpr size_t kStartTime = 22 - 3;
  ProcessStat stat;
  const absl::string_view pid = absl::string_view(text).substr(0, text.find(' '));
  if (fields.size() <= kStartTime || !absl::SimpleAtoi(pid, &stat.pid) ||
      !absl::SimpleAtoi(fields[kStartTime], &stat.start_time)) {
    return std::nullopt;
  }
  return stat;
}

// The number of a namespace of this process; they have 32 bits. 0: /proc does not tell.
uint64_t NamespaceNumber(const char* kind) {
  struct stat file;
  return os::Stat(absl::StrCat("/proc/self/ns/", kind).c_str(), &file) == 0 ? file.st_ino & UINT32_MAX : 0;
}

// Whether the process, of this process's namespaces, has certainly ended.
bool IsDead(const MqNameMaker& maker) {
  const absl::StatusOr<PidFd> process = PidFd::Open(maker.pid);
  if (!process.ok()) return absl::IsUnavailable(process.status());
  if (process->HasEnded()) return true;
  const std::optional<ProcessStat> stat = ReadStat(absl::StrCat(maker.pid));
  return stat.has_value() && stat->start_time != maker.start_time;
}

// Calls `visit` for the name of each entry; not at all where the folder cannot be read.
template <typename Visit>
void ForEachEntry(const char* path, Visit visit) {
  const Fd folder(os::Open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (!folder.valid()) return;
  alignas(8) std::array<char, 8192> entries;
  while (true) {
    const ssize_t bytes = os::GetDents(folder.get(), entries.data(), entries.size());
    if (bytes <= 0) return;
    for (ssize_t at = 0; at < bytes;) {
      // linux_dirent64: inode (8 bytes), offset (8), length of the record (2), type (1), name.
      uint16_t length;
      std::memcpy(&length, entries.data() + at + 16, sizeof(length));
      visit(absl::string_view(entries.data() + at + 19));
      at += length;
    }
  }
}

}  // namespace

MqNameMaker MqNameMaker::Self() {
  MqNameMaker self = {.boot = std::string(kUnknownBoot), .pid = getpid()};
  const std::optional<ProcessStat> stat = ReadStat("self");
  const std::string boot = ReadStart("/proc/sys/kernel/random/boot_id").substr(0, kUnknownBoot.size());
  const uint64_t pids = NamespaceNumber("pid");
  // Another pid: this /proc belongs to another pid namespace.
  if (!stat.has_value() || stat->pid != self.pid || boot.size() != kUnknownBoot.size() || pids == 0) return self;
  self.boot = boot;
  self.namespaces = pids | NamespaceNumber("time") << 32;  // Kernels may have no namespaces of time.
  self.start_time = stat->start_time;
  return self;
}

MqName MqName::Next() {
  static std::atomic<uint64_t> next{0};  // Relaxed: only the number counts.
  return {.maker = MqNameMaker::Self(), .number = next.fetch_add(1, std::memory_order_relaxed)};
}

std::string MqName::ToString() const {
  return absl::StrCat(kPrefix, ".", maker.boot, ".", maker.namespaces, ".", maker.pid, ".", maker.start_time, ".",
                      number);
}

std::optional<MqName> MqName::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  MqName name;
  if (parts.size() != 6 || !absl::SimpleAtoi(parts[2], &name.maker.namespaces) ||
      !absl::SimpleAtoi(parts[3], &name.maker.pid) || name.maker.pid <= 0 ||
      !absl::SimpleAtoi(parts[4], &name.maker.start_time) || !absl::SimpleAtoi(parts[5], &name.number)) {
    return std::nullopt;
  }
  name.maker.boot = std::string(parts[1]);
  if (name.maker.boot.size() != kUnknownBoot.size() || name.ToString() != text) return std::nullopt;
  return name;
}

void RemoveMqNamesOfTheDead(const char* folder) {
  std::optional<MqNameMaker> self;  // Looked up at the first name of ours.
  ForEachEntry(folder, [&](absl::string_view entry) {
    const std::optional<MqName> name = MqName::Parse(entry);
    if (!name.has_value()) return;
    if (!self.has_value()) self = MqNameMaker::Self();
    if (self->namespaces == 0 || name->maker.namespaces != self->namespaces || name->maker.boot != self->boot) {
      return;
    }
    const std::string path = absl::StrCat(folder, "/", entry);
    struct stat file;
    if (os::Lstat(path.c_str(), &file) != 0 || file.st_uid != geteuid() || !IsDead(name->maker)) return;
    os::Unlink(path.c_str());
  });
}

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
