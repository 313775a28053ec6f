// A thread that runs one reactor from construction to stop(). Owned by main() (and tests), which owns the reactor too.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include "engine/io/reactor.h"

namespace uscst::io {

// Blocks all signals of the calling thread for its lifetime, so that threads started meanwhile never take one: signals
// are for main().
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

class ReactorThread {
 public:
  struct Options {
    std::string name;             // seen in ps and top; cut at 15 characters
    std::optional<unsigned> cpu;  // to pin to; a CPU that is not ours to use is not an error
  };

  // The reactor must not have run yet, and outlives this object.
  explicit ReactorThread(Reactor& reactor, Options options = {});
  ~ReactorThread() { stop(); }
  ReactorThread(const ReactorThread&) = delete;
  ReactorThread& operator=(const ReactorThread&) = delete;

  Reactor& reactor() { return reactor_; }
  // Runs `job` on the reactor's thread and returns when it has run. For starting up, shutting down and tests: any
  // thread but the reactor's, and not after stop().
  void call(Job job);
  // Stops the loop after its current event and joins. Again: does nothing.
  void stop();

 private:
  void run(const Options& options);

  Reactor& reactor_;
  std::thread thread_;
};

}  // namespace uscst::io
