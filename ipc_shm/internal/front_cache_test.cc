#include "ipc_shm/internal/front_cache.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_shm/internal/size_classes.h"
#include "ipc_util/internal/mutex.h"

namespace ipc::internal {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

constexpr size_t kListBytes = 8192;
constexpr SizeClasses kClasses(8, 24);

// Blocks that are nothing but addresses, each given out once at a time.
class Addresses final : public FrontCache::Source {
 public:
  explicit Addresses(size_t room) : room_(room) {}

  size_t TakeBlocks(size_t bytes, absl::Span<void*> blocks) override {
    const MutexLock lock(mutex_);
    size_t count = 0;
    for (; count < blocks.size() && out_.size() < room_; ++count) {
      uintptr_t address = next_;
      if (free_.empty()) {
        next_ += SizeClasses::kMaxBytes;
      } else {
        address = free_.back();
        free_.pop_back();
      }
      EXPECT_TRUE(out_.insert(address).second);
      blocks[count] = reinterpret_cast<void*>(address);
    }
    EXPECT_EQ(bytes, kClasses.RoomFor(bytes));
    ++batches_;
    return count;
  }

  void GiveBack(size_t /*bytes*/, absl::Span<void* const> blocks) override {
    const MutexLock lock(mutex_);
    for (void* const block : blocks) {
      EXPECT_EQ(out_.erase(reinterpret_cast<uintptr_t>(block)), 1u);
      free_.push_back(reinterpret_cast<uintptr_t>(block));
    }
    ++batches_;
  }

  size_t out() {
    const MutexLock lock(mutex_);
    return out_.size();
  }

  int batches() {
    const MutexLock lock(mutex_);
    return batches_;
  }

 private:
  const size_t room_;
  Mutex mutex_;
  uintptr_t next_ ABSL_GUARDED_BY(mutex_) = SizeClasses::kMaxBytes;
  std::vector<uintptr_t> free_ ABSL_GUARDED_BY(mutex_);
  std::set<uintptr_t> out_ ABSL_GUARDED_BY(mutex_);
  int batches_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FrontCacheTest : public ::testing::Test {
 protected:
  Addresses source_{100'000};
  FrontCache cache_{source_, kListBytes, kClasses};
};

TEST_F(FrontCacheTest, ABlockIsTheThreadsNextOfItsClass) {
  void* const block = cache_.Allocate(33);
  cache_.Free(block, 33);
  EXPECT_NE(cache_.Allocate(32), block);
  EXPECT_NE(cache_.Allocate(41), block);
  const int batches = source_.batches();
  for (int i = 0; i < 1000; ++i) {
    void* const again = cache_.Allocate(40);
    EXPECT_EQ(again, block);
    cache_.Free(again, 40);
  }
  EXPECT_EQ(source_.batches(), batches);
}

TEST_F(FrontCacheTest, CountsWhatIsAllocated) {
  void* const a = cache_.Allocate(33);
  void* const b = cache_.Allocate(1);
  EXPECT_EQ(cache_.balance().bytes, 34);
  EXPECT_EQ(cache_.balance().blocks, 2);
  std::thread([&] { cache_.Free(a, 33); }).join();
  EXPECT_EQ(cache_.balance().bytes, 1);
  EXPECT_EQ(cache_.balance().blocks, 1);
  cache_.Free(b, 1);
  EXPECT_EQ(cache_.balance().bytes, 0);
  EXPECT_EQ(cache_.balance().blocks, 0);
}

TEST_F(FrontCacheTest, CountsWhatThreadsKeep) {
  cache_.Free(cache_.Allocate(33), 33);
  EXPECT_GE(cache_.balance().cached_bytes, kClasses.FootprintOf(33));
  EXPECT_EQ(cache_.balance().cached_bytes, source_.out() * kClasses.FootprintOf(33));
  std::thread([&] {
    const size_t before = cache_.balance().cached_bytes;
    cache_.Free(cache_.Allocate(100), 100);
    EXPECT_GT(cache_.balance().cached_bytes, before);
  }).join();
  EXPECT_EQ(cache_.balance().cached_bytes, source_.out() * kClasses.FootprintOf(33));
  cache_.FlushThread();
  EXPECT_EQ(cache_.balance().cached_bytes, 0u);
}

// A thread that frees what others allocated has less than nothing.
TEST_F(FrontCacheTest, CountsWhatThreadsFreeForEachOther) {
  std::vector<void*> blocks;
  for (int i = 0; i < 100'000; ++i) blocks.push_back(cache_.Allocate(500));
  EXPECT_EQ(cache_.balance().bytes, 50'000'000);
  std::thread([&] {
    for (void* const block : blocks) cache_.Free(block, 500);
    EXPECT_EQ(cache_.balance().bytes, 0);
    EXPECT_EQ(cache_.balance().blocks, 0);
  }).join();
  EXPECT_EQ(cache_.balance().bytes, 0);
  EXPECT_EQ(cache_.balance().blocks, 0);
}

TEST_F(FrontCacheTest, KeepsNoMoreThanItsBytes) {
  std::vector<void*> blocks;
  for (int i = 0; i < 10'000; ++i) blocks.push_back(cache_.Allocate(64));
  for (void* const block : blocks) cache_.Free(block, 64);
  const size_t room = kClasses.RoomFor(64);
  EXPECT_THAT(source_.out(), AllOf(Ge(kListBytes / room / 2), Le(kListBytes / room)));
  EXPECT_TRUE(cache_.FlushThread());
  EXPECT_EQ(source_.out(), 0u);
  EXPECT_FALSE(cache_.FlushThread());
}

TEST_F(FrontCacheTest, ASourceWithoutRoomIsNoHarm) {
  Addresses small(3);
  FrontCache cache(small, kListBytes, kClasses);
  std::vector<void*> blocks;
  while (void* const block = cache.Allocate(100)) blocks.push_back(block);
  EXPECT_EQ(blocks.size(), 3u);
  EXPECT_EQ(cache.Allocate(100), nullptr);
  EXPECT_EQ(cache.balance().blocks, 3);
  cache.Free(blocks[0], 100);
  EXPECT_EQ(cache.Allocate(100), blocks[0]);
}

TEST_F(FrontCacheTest, CachesOfOneThreadDoNotMix) {
  std::vector<std::unique_ptr<FrontCache>> caches;
  std::vector<std::unique_ptr<Addresses>> sources;
  for (int i = 0; i < 200; ++i) {
    sources.push_back(std::make_unique<Addresses>(100));
    caches.push_back(std::make_unique<FrontCache>(*sources.back(), kListBytes, kClasses));
  }
  // The sources expect each block back that they gave, and no other.
  for (int round = 0; round < 3; ++round) {
    for (const auto& cache : caches) cache->Free(cache->Allocate(64), 64);
  }
  for (const auto& cache : caches) EXPECT_TRUE(cache->FlushThread());
  for (const auto& source : sources) EXPECT_EQ(source->out(), 0u);
}

TEST_F(FrontCacheTest, AThreadThatEndsGivesItsBlocksBack) {
  for (int i = 0; i < 10'000; ++i) {
    std::thread([&] { cache_.Free(cache_.Allocate(64), 64); }).join();
  }
  EXPECT_EQ(source_.out(), 0u);
  EXPECT_EQ(cache_.balance().blocks, 0);
}

TEST_F(FrontCacheTest, ACacheMayEndBeforeItsThreads) {
  for (int i = 0; i < 1000; ++i) {
    Addresses source(100);
    FrontCache cache(source, kListBytes, kClasses);
    cache.Free(cache.Allocate(64), 64);
  }
  EXPECT_EQ(cache_.balance().blocks, 0);
}

// Allocates and frees at the thread's end, after its caches are gone.
struct Latecomer {
  FrontCache* cache = nullptr;
  ~Latecomer() {
    if (cache == nullptr) return;
    void* const block = cache->Allocate(64);
    EXPECT_NE(block, nullptr);
    cache->Free(block, 64);
    EXPECT_FALSE(cache->FlushThread());
  }
};

TEST_F(FrontCacheTest, AThreadMayAllocateToItsVeryEnd) {
  std::thread([&] {
    static thread_local Latecomer latecomer;  // Made before the thread's caches, so destroyed after them.
    latecomer.cache = &cache_;
    cache_.Free(cache_.Allocate(64), 64);
  }).join();
  EXPECT_EQ(source_.out(), 0u);
  EXPECT_EQ(cache_.balance().blocks, 0);
}

TEST_F(FrontCacheTest, ThreadsAndCachesEndInAnyOrder) {
  for (int i = 0; i < 200; ++i) {
    Addresses source(10'000);
    auto cache = std::make_unique<FrontCache>(source, kListBytes, kClasses);
    // They work while it lives, and end while it does.
    Mutex mutex;
    CondVar done;
    int working = 3;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        std::vector<void*> blocks;
        for (int n = 0; n < 100; ++n) blocks.push_back(cache->Allocate(64));
        for (void* const block : blocks) cache->Free(block, 64);
        const MutexLock lock(mutex);
        --working;
        done.NotifyOne();
      });
    }
    {
      const MutexLock lock(mutex);
      while (working > 0) done.Wait(mutex);
    }
    EXPECT_EQ(cache->balance().blocks, 0);
    cache.reset();
    for (std::thread& thread : threads) thread.join();
  }
}

// P1: where the memory behind a source is not mapped, nobody asks it.
TEST_F(FrontCacheTest, AForkedChildGivesNothingBack) {
  cache_.Free(cache_.Allocate(64), 64);
  const int batches = source_.batches();
  const pid_t child = fork();
  if (child == 0) {
    // The destructors of this thread's objects run in `exit`, before this.
    static Addresses* source;
    static int before;
    source = &source_;
    before = batches;
    std::atexit([] { _exit(source->batches() == before ? 0 : 1); });
    std::exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace ipc::internal
