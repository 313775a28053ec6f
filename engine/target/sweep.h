// Finds running commands on all reactors and waits until those it found have ended. The one mechanism behind task
// management, draining a gate, taking a LUN away and closing the channels of a nexus.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "engine/io/executor.h"

namespace uscst::target {

class Command;
class Shard;
class ShardGroup;
class SweepToken;

// What a sweep does with a command it meets.
enum class SweepVerdict { kSkip, kWait, kAbortForOwnNexus, kAbortForOtherNexus };

// Called on each shard's thread, so for several commands at once.
using SweepSelector = std::function<SweepVerdict(const Command&)>;

// Any thread may start one. `done` runs on `origin` once every shard has looked and every command met has ended. What
// is returned is what they hold until then.
std::weak_ptr<SweepToken> sweep(ShardGroup& shards, io::Executor& origin, SweepSelector select, io::Job done);

// Runs `visit` on every shard's thread, with the shard's place in the group; `done` on `origin` when all have run.
void visit_shards(ShardGroup& shards, io::Executor& origin, std::function<void(Shard&, std::size_t index)> visit,
                  io::Job done);

// What every shard and every command met holds; the last to let go posts `done`.
class SweepToken {
 public:
  SweepToken(io::Executor& origin, io::Job done) : origin_(origin), done_(std::move(done)) {}
  ~SweepToken() { origin_.post(std::move(done_)); }
  SweepToken(const SweepToken&) = delete;
  SweepToken& operator=(const SweepToken&) = delete;

 private:
  io::Executor& origin_;
  io::Job done_;
};

}  // namespace uscst::target
