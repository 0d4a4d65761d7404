// The standard library's containers in shared memory. Includes what goes with them: their scopes, what they throw, and
// which types can be shared.

#ifndef SLUICE_IPC_SHM_CONTAINERS_H_
#define SLUICE_IPC_SHM_CONTAINERS_H_

#include <compare>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "ipc_shm/allocation_error.h"
#include "ipc_shm/allocator.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/hash.h"
#include "ipc_shm/optional.h"
#include "ipc_shm/shareable.h"

namespace ipc {
inline namespace sluice_0 {
namespace shm {

// Exactly the standard ones, with an Allocator; nested to any depth, and changed at any time, with or without a scope:
//
//   using Index = map<string, vector<string>>;
//   std::shared_ptr<Index> index = *session->arena().Construct<Index>();
//   (*index)["colours"].emplace_back("a colour with a long name");
//
// What is built before the container sees it wants a scope (arena_scope.h), such as a long key in `index["..."]` or a
// literal given to `push_back`, and every new deque; `emplace`, `assign` and `append` build inside. Look-ups take
// anything that compares with a key, write nothing, and need no scope. Whoever reads and whoever writes at the same
// time need a lock, as in one process: robust_mutex.h.
using string = std::basic_string<char, std::char_traits<char>, Allocator<char>>;

// Against strings on the heap, which the standard library does not compare with others; so look-ups take them too.
inline bool operator==(const string& a, const std::string& b) noexcept {
  return std::string_view(a) == std::string_view(b);
}
inline auto operator<=>(const string& a, const std::string& b) noexcept {
  return std::string_view(a) <=> std::string_view(b);
}

template <typename T>
using vector = std::vector<T, Allocator<T>>;

template <typename T>
using deque = std::deque<T, Allocator<T>>;

template <typename T>
using list = std::list<T, Allocator<T>>;

template <typename Key, typename Value, typename Less = std::less<>>
using map = std::map<Key, Value, Less, Allocator<std::pair<const Key, Value>>>;

template <typename Key, typename Value, typename Less = std::less<>>
using multimap = std::multimap<Key, Value, Less, Allocator<std::pair<const Key, Value>>>;

template <typename Key, typename Less = std::less<>>
using set = std::set<Key, Less, Allocator<Key>>;

template <typename Key, typename Less = std::less<>>
using multiset = std::multiset<Key, Less, Allocator<Key>>;

template <typename Key, typename Value, typename KeyHash = Hash, typename Equal = std::equal_to<>>
using unordered_map = std::unordered_map<Key, Value, KeyHash, Equal, Allocator<std::pair<const Key, Value>>>;

template <typename Key, typename KeyHash = Hash, typename Equal = std::equal_to<>>
using unordered_set = std::unordered_set<Key, KeyHash, Equal, Allocator<Key>>;

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_CONTAINERS_H_
