// Keeps a few objects per thread for their next use: no allocation and no lock on the way of a small message.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_RECYCLER_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_RECYCLER_H_

namespace ipc {
inline namespace sluice_0 {
namespace internal {

// `T` is default-constructible and has `void Reset()`, which makes it as good as new. Objects may be put back by
// another thread than the one that took them.
template <typename T>
class Recycler {
 public:
  static T* Take() { return shelf_.count > 0 ? shelf_.objects[--shelf_.count] : new T; }

  static void Put(T* object) {
    sweeper_.Arm();
    object->Reset();  // First: what it lets go of may put back others of its kind.
    if (shelf_.count == kCapacity || shelf_.closed) {
      delete object;
      return;
    }
    shelf_.objects[shelf_.count++] = object;
  }

  // The deleter of a std::unique_ptr or std::shared_ptr.
  void operator()(T* object) const { Put(object); }

 private:
  static constexpr int kCapacity = 8;

  // Trivially destructible: it can still be asked after the thread's destructors have run.
  struct Shelf {
    T* objects[kCapacity];
    int count;
    bool closed;
  };

  // Empties and closes the shelf when the thread ends.
  struct Sweeper {
    void Arm() {}
    ~Sweeper() {
      while (shelf_.count > 0) delete shelf_.objects[--shelf_.count];
      shelf_.closed = true;
    }
  };

  static constinit inline thread_local Shelf shelf_ = {};
  static inline thread_local Sweeper sweeper_;
};

}  // namespace internal
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_INTERNAL_RECYCLER_H_
