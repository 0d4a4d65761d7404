#include "ipc_shm/shareable.h"

#include <any>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/containers.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::CheckShareable;
using ::ipc::shm::Shareable;
using ::testing::HasSubstr;

struct Point {
  int x;
  int y;
};
struct Tree {
  shm::map<shm::string, Tree> branches;
  Tree* parent;
};
struct Virtual {
  virtual ~Virtual() = default;
};
class HeapText : public std::string {};

static_assert(CheckShareable<int>() && CheckShareable<double[3]>() && CheckShareable<Point>());
static_assert(CheckShareable<Point*>() && CheckShareable<const void*>() && CheckShareable<Tree>());
static_assert(CheckShareable<std::atomic<int>>());
static_assert(CheckShareable<shm::string>() && CheckShareable<shm::vector<shm::list<shm::deque<Point>>>>());
static_assert(CheckShareable<shm::map<shm::string, shm::unordered_map<int, shm::set<shm::string>>>>());
static_assert(CheckShareable<std::tuple<int, std::pair<shm::string, Point>>>());
static_assert(CheckShareable<std::array<std::variant<int, shm::optional<shm::string>>, 4>>());

static_assert(!Shareable<int&> && !Shareable<std::pair<int&, int>> && !Shareable<std::reference_wrapper<int>>);
static_assert(!Shareable<Virtual> && !Shareable<shm::vector<Virtual>> && !Shareable<Virtual[2]>);
static_assert(!Shareable<void (*)()> && !Shareable<int Point::*> && !Shareable<std::function<void()>>);
static_assert(!Shareable<std::string> && !Shareable<HeapText> && !Shareable<std::vector<int>>);
static_assert(!Shareable<std::map<int, int>> && !Shareable<shm::map<int, std::string>>);
static_assert(!Shareable<shm::map<std::string, int>> && !Shareable<std::pmr::string> && !Shareable<std::any>);
static_assert(!Shareable<std::unique_ptr<int>> && !Shareable<std::shared_ptr<int>> && !Shareable<std::weak_ptr<int>>);
static_assert(!Shareable<std::string_view> && !Shareable<const std::span<int>> && !Shareable<absl::Span<int>>);
static_assert(!Shareable<std::mutex> && !Shareable<std::shared_mutex> && !Shareable<std::condition_variable>);
static_assert(!Shareable<std::thread>);
static_assert(!Shareable<shm::unordered_map<int, int, absl::Hash<int>>>);
static_assert(!Shareable<absl::flat_hash_map<int, int>>);
// Inside.
static_assert(!Shareable<shm::vector<std::string_view>> && !Shareable<std::tuple<int, std::unique_ptr<int>>>);
static_assert(!Shareable<shm::optional<std::string>> && !Shareable<std::variant<int, std::mutex*, std::string>>);
static_assert(!Shareable<std::array<shm::list<std::shared_ptr<int>>, 2>>);
static_assert(!Shareable<shm::unordered_map<int, shm::deque<std::function<void()>>>>);
static_assert(!Shareable<std::optional<std::optional<std::string_view>>>);

std::string Read(const char* variable) {
  const char* const path = std::getenv(variable);
  std::ifstream file(path == nullptr ? "" : path);
  return (std::stringstream() << file.rdbuf()).str();
}

// shareable_refusals.txt has a type and a part of the message in each line; the log what the compiler said to each.
TEST(ShareableTest, RefusalsSayWhatToUseInstead) {
  std::istringstream cases(Read("REFUSALS_TXT"));
  const std::string log = Read("REFUSALS_LOG");
  int count = 0;
  for (std::string line; std::getline(cases, line); ++count) {
    const std::string type = line.substr(0, line.find(" => "));
    const std::string message = line.substr(line.find(" => ") + 4);
    const std::string head = "=== " + type + "\n";
    const size_t begin = log.find(head);
    ASSERT_NE(begin, std::string::npos) << type;
    const std::string said = log.substr(begin, log.find("\n=== ", begin) - begin);
    EXPECT_THAT(said, HasSubstr("error: "));
    EXPECT_THAT(said, HasSubstr("not shareable: " + message)) << type;
  }
  EXPECT_GE(count, 10);
  EXPECT_THAT(log, HasSubstr("=== int\ncompiled\n")) << "the compiler refuses everything";
}

}  // namespace
}  // namespace ipc::testing
