// Names for what must have one for a moment: from the name alone one can tell whether its maker still lives.

#ifndef SLUICE_IPC_TRANSPORT_INTERNAL_MQ_NAMES_H_
#define SLUICE_IPC_TRANSPORT_INTERNAL_MQ_NAMES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// Where the system shows the names of message queues, if it is mounted; and those of shared memory.
inline constexpr char kMqFolder[] = "/dev/mqueue";
inline constexpr char kShmFolder[] = "/dev/shm";

// The longest name that `ToString` makes.
inline constexpr size_t kMaxMqNameBytes = 127;

// A process, as it is written into names.
struct MqNameMaker {
  std::string boot;         // 8 hexadecimal digits of the boot id.
  uint64_t namespaces = 0;  // Of pids and of time: the others mean something in these alone. 0: unknown, no /proc.
  pid_t pid = 0;
  uint64_t start_time = 0;  // In ticks since the boot: tells the process from a later one of the same pid.

  // The calling process. Without /proc only the pid is known.
  static MqNameMaker Self();

  friend bool operator==(const MqNameMaker&, const MqNameMaker&) = default;
};

struct MqName {
  MqNameMaker maker;
  uint64_t number = 0;

  // Of the calling process, and different each time. Any thread.
  static MqName Next();

  // Without the slash that mq_open(3) wants before it.
  std::string ToString() const;
  // nullopt: not exactly what `ToString` makes.
  static std::optional<MqName> Parse(absl::string_view text);
};

// Removes those names in `folder` whose maker was of this user and these namespaces and is certainly dead. All others
// are left alone, and so are all where /proc or the folder cannot be read.
void RemoveMqNamesOfTheDead(const char* folder);

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_INTERNAL_MQ_NAMES_H_
