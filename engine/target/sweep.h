// Finds running commands on all reactors and waits until those it found have ended. The one mechanism behind task
// management, draining a gate, taking a LUN away and closing the channels of a nexus.
#pragma once

#include <functional>
#include <memory>

#include "engine/io/executor.h"

namespace uscst::target {

class Command;
class ShardGroup;

// On each shard's thread: true for a command that must end before the sweep does. May abort the command.
using SweepVisitor = std::function<bool(Command&)>;

// Any thread may start one. `done` runs on `origin` once every shard has looked and every command chosen has ended.
void sweep(ShardGroup& shards, io::Executor& origin, SweepVisitor visit, io::Job done);

// What a chosen command holds until it ends; the last one to let go posts `done`.
class SweepToken;

}  // namespace uscst::target
