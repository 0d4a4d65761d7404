// One channel as a loop serves it: every request gets an answer, and no call waits.

#ifndef SLUICE_EXAMPLES_EVENT_LOOP_SERVICE_H_
#define SLUICE_EXAMPLES_EVENT_LOOP_SERVICE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "ipc_transport/channel.h"

namespace event_loop {

// What the whole loop counts.
struct Figures {
  uint64_t ticks = 0;          // Of the timer.
  uint64_t full_channels = 0;  // Channels that wait for room.
};

struct Request {
  uint64_t number = 0;
};

// Followed by as many bytes as make `kAnswerBytes`.
struct Answer {
  uint64_t number = 0;  // The request's.
  Figures figures;
};
inline constexpr size_t kAnswerBytes = 4096;

// Tries until a call is refused, and says what to wait for then. One thread.
//
//   switch (service.Go()) {
//     case Service::Next::kWaitForRequest: ...watch service.channel().ReceiveWaitable(), once...
//     case Service::Next::kWaitForRoom:    ...watch service.channel().SendWaitable(), once...
class Service {
 public:
  enum class Next {
    kWaitForRequest,  // Nothing is there to be answered.
    kWaitForRoom,     // The peer does not read its answers; until it does, its requests are left where they are.
    kYield,           // More may be there, but others shall have their turn first.
    kEnd,             // `status` tells how.
  };

  // `figures` outlives it.
  Service(ipc::Channel channel, Figures& figures)
      : channel_(std::move(channel)), figures_(figures), answer_(kAnswerBytes) {}

  Next Go();

  ipc::Channel& channel() { return channel_; }

  // OK, or why the service ended before the peer had finished.
  const absl::Status& status() const { return status_; }

 private:
  // The next request becomes `answer_`. Anything but a request from the peer ends the service.
  Next TakeRequest();
  Next SendAnswer();
  Next End(const absl::Status& status);

  ipc::Channel channel_;
  Figures& figures_;
  std::vector<std::byte> answer_;
  bool has_answer_ = false;  // One that was not sent yet.
  bool is_full_ = false;
  absl::Status status_;
};

}  // namespace event_loop

#endif  // SLUICE_EXAMPLES_EVENT_LOOP_SERVICE_H_
