#include "engine/io/reactor_thread.h"

#include <pthread.h>
#include <sched.h>

#include <latch>

namespace uscst::io {

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

ReactorThread::ReactorThread(Reactor& reactor, Options options) : reactor_(reactor) {
  SignalsBlocked for_the_new_thread;
  thread_ = std::thread([this, options = std::move(options)] { run(options); });
}

void ReactorThread::run(const Options& options) {
  if (!options.name.empty()) ::pthread_setname_np(::pthread_self(), options.name.substr(0, 15).c_str());
  if (options.cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(*options.cpu, &cpus);
    ::pthread_setaffinity_np(::pthread_self(), sizeof(cpus), &cpus);
  }
  reactor_.run();
}

void ReactorThread::call(Job job) {
  assert(std::this_thread::get_id() != thread_.get_id());
  std::latch done(1);
  reactor_.post([&] {
    job();
    done.count_down();
  });
  done.wait();
}

void ReactorThread::stop() {
  if (!thread_.joinable()) return;
  reactor_.stop();
  thread_.join();
}

}  // namespace uscst::io
