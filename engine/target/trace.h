// What is going on at this moment, as trace_cmds and trace_mcmds show it: every reactor is asked for its commands and
// task management functions, none is stopped.
#pragma once

#include <cstddef>

#include "engine/target/attribute.h"
#include "engine/target/shard.h"

namespace uscst::target {

// Control thread; `done` runs there. One line each; what would go beyond `limit_bytes` is not looked at.
void trace_commands(ShardGroup& shards, std::size_t limit_bytes, ShowDone done);
void trace_managements(ShardGroup& shards, std::size_t limit_bytes, ShowDone done);

}  // namespace uscst::target
