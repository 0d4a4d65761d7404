// What a process holds of the system, before and after: nothing may be left behind.
//
//   const World before = World::Now();
//   ... everything opened is closed again ...
//   EXPECT_EQ(World::Now(), before);

#ifndef SLUICE_IPC_UTIL_TESTING_WORLD_H_
#define SLUICE_IPC_UTIL_TESTING_WORLD_H_

#include <map>
#include <ostream>
#include <set>
#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct World {
  // Of this process: number and target of each open descriptor, how often each kind of memfd is mapped, its threads.
  std::set<std::string> descriptors;
  std::map<std::string, int> mappings;
  int threads = 0;
  // Of the system: names in /dev/shm and /dev/mqueue, without those that Sluice made in other namespaces of pids; this
  // process's children, dead or alive.
  std::set<std::string> names;
  std::set<std::string> children;

  static World Now();

  // The same once it is `expected`, or when the time limit has passed: a thread that was joined is still listed for a
  // moment.
  static World Awaited(const World& expected);

  friend bool operator==(const World&, const World&) = default;
  friend std::ostream& operator<<(std::ostream& out, const World& world);
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_WORLD_H_
