#include "engine/target/sweep.h"

#include "engine/target/shard.h"

namespace uscst::target {
namespace {

void visit(Command& command, const SweepSelector& select, const std::shared_ptr<SweepToken>& token) {
  SweepVerdict verdict = select(command);
  if (verdict == SweepVerdict::kSkip) return;
  command.add_sweep(token);  // first: aborting may end the command at once
  if (verdict == SweepVerdict::kAbortForOwnNexus) command.abort(AbortReason::kOwnNexus);
  if (verdict == SweepVerdict::kAbortForOtherNexus) command.abort(AbortReason::kOtherNexus);
}

}  // namespace

std::weak_ptr<SweepToken> sweep(ShardGroup& shards, io::Executor& origin, SweepSelector select, io::Job done) {
  auto token = std::make_shared<SweepToken>(origin, std::move(done));
  for (Shard* shard : shards.shards) {
    shard->executor().post([shard, select, token]() mutable {
      shard->for_each_command([&](Command& command) { visit(command, select, token); });
      select = nullptr;  // what it refers to goes before the end is told
    });
  }
  return token;
}

void visit_shards(ShardGroup& shards, io::Executor& origin, std::function<void(Shard&, std::size_t index)> visit,
                  io::Job done) {
  auto token = std::make_shared<SweepToken>(origin, std::move(done));
  for (std::size_t i = 0; i < shards.shards.size(); ++i) {
    shards.shards[i]->executor().post([shard = shards.shards[i], i, visit, token]() mutable {
      visit(*shard, i);
      visit = nullptr;  // what it refers to goes before the end is told
    });
  }
}

}  // namespace uscst::target
