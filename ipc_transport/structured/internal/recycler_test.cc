#include "ipc_transport/structured/internal/recycler.h"

#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace internal {
namespace {

// Counts itself, and may own others of its kind.
class Item {
 public:
  Item() { ++alive; }
  ~Item() {
    Reset();
    --alive;
  }

  void Reset() {
    value = 0;
    std::exchange(children, {}).clear();
  }

  static inline int alive = 0;
  int value = 0;
  std::vector<std::unique_ptr<Item, Recycler<Item>>> children;
};

using ItemPtr = std::unique_ptr<Item, Recycler<Item>>;

// Shelves are a thread's: each case has a thread of its own, and all that it made is gone when the thread has ended.
template <typename Body>
void InAThread(Body body) {
  std::thread(body).join();
  EXPECT_EQ(Item::alive, 0);
}

TEST(RecyclerTest, GivesBackWhatWasPutAsGoodAsNew) {
  InAThread([] {
    Item* const item = Recycler<Item>::Take();
    item->value = 5;
    Recycler<Item>::Put(item);
    const ItemPtr again(Recycler<Item>::Take());
    EXPECT_EQ(again.get(), item);
    EXPECT_EQ(again->value, 0);
  });
}

TEST(RecyclerTest, NeverGivesOneObjectTwice) {
  InAThread([] {
    for (int round = 0; round < 3; ++round) {
      std::vector<ItemPtr> items;
      std::set<Item*> different;
      for (int i = 0; i < 20; ++i) different.insert(items.emplace_back(Recycler<Item>::Take()).get());
      EXPECT_EQ(different.size(), 20u);
    }
  });
}

TEST(RecyclerTest, KeepsAFew) {
  InAThread([] {
    {
      std::vector<ItemPtr> items;
      for (int i = 0; i < 20; ++i) items.emplace_back(Recycler<Item>::Take());
    }
    EXPECT_EQ(Item::alive, 8);
  });
}

TEST(RecyclerTest, AnotherThreadMayPut) {
  InAThread([] {
    std::vector<ItemPtr> items;
    for (int i = 0; i < 4; ++i) items.emplace_back(Recycler<Item>::Take());
    std::thread([&items] { items.clear(); }).join();
    EXPECT_EQ(Item::alive, 0);
  });
}

// What an object lets go of when it is put back may fill the shelf meanwhile.
TEST(RecyclerTest, ObjectsOfObjectsOverflowNothing) {
  InAThread([] {
    ItemPtr parent(Recycler<Item>::Take());
    for (int i = 0; i < 20; ++i) parent->children.emplace_back(Recycler<Item>::Take());
    parent.reset();
    EXPECT_EQ(Item::alive, 8);
  });
}

TEST(RecyclerTest, AfterTheThreadsLastWordNothingIsKept) {
  // Destroyed after the shelf's sweeper, which is made at the first `Put`.
  struct Late {
    ItemPtr item;
  };
  InAThread([] {
    thread_local Late late;
    late.item.reset(new Item);
    Recycler<Item>::Put(Recycler<Item>::Take());
  });
}

}  // namespace
}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc
