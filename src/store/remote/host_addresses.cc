#include "store/remote/host_addresses.h"

#include <netdb.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace kvasir::store::remote {
namespace {

constexpr std::chrono::seconds kFreshS{60};

struct Found {
  int error = 0;  // of getaddrinfo
  std::vector<SocketAddress> addresses;
};

Found look_up(const HostPort& place, int flags) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Found found;
  found.error =
      ::getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &wanted, &list);
  if (found.error != 0) return found;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    SocketAddress address{.size = one->ai_addrlen};
    std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
    found.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  if (found.addresses.empty()) found.error = EAI_NONAME;
  return found;
}

}  // namespace

struct HostAddresses::Question {
  std::mutex mutex;
  std::condition_variable answered;
  bool is_answered = false;
  Found found;
};

HostAddresses::HostAddresses(HostPort place) : place_(std::move(place)) {
  // The host as a number needs no question and never grows old.
  known_ = look_up(place_, AI_NUMERICHOST).addresses;
  known_since_ = known_.empty() ? Clock::time_point::min() : Clock::time_point::max();
}

HostAddresses::~HostAddresses() = default;

std::string HostAddresses::where() const {
  const bool is_ipv6 = place_.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", place_.host, place_.port)
                 : fmt::format("{}:{}", place_.host, place_.port);
}

Result<std::vector<SocketAddress>> HostAddresses::get(Deadline deadline) {
  const Clock::time_point now = Clock::now();
  const bool is_fresh = !known_.empty() && (known_since_ >= now || now - known_since_ < kFreshS);
  if (is_fresh) return known_;
  if (!question_) {
    auto question = std::make_shared<Question>();
    try {
      std::thread([question, place = place_] {
        Found found = look_up(place, 0);
        const std::lock_guard lock(question->mutex);
        question->found = std::move(found);
        question->is_answered = true;
        question->answered.notify_all();
      }).detach();
    } catch (const std::system_error&) {
      return Error{
          .kind = ErrorKind::kNoMemory, .what = "no thread to look up a host", .where = where()};
    }
    question_ = std::move(question);
  }
  std::unique_lock lock(question_->mutex);
  const Deadline until = known_.empty() ? deadline : now;
  const bool is_answered =
      question_->answered.wait_until(lock, until, [&] { return question_->is_answered; });
  if (!is_answered) {
    if (!known_.empty()) return known_;
    return Error{.kind = ErrorKind::kInterrupted,
                 .what = "the addresses of a host are not known in time",
                 .where = where()};
  }
  const Found found = std::move(question_->found);
  lock.unlock();
  question_.reset();
  if (found.error != 0 && known_.empty()) {
    return Error{.kind = ErrorKind::kIo,
                 .what = "a host has no address",
                 .where = where(),
                 .found = ::gai_strerror(found.error)};
  }
  if (found.error == 0) known_ = found.addresses;
  known_since_ = now;
  return known_;
}

}  // namespace kvasir::store::remote
