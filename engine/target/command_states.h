// The allowed transitions of a command, in one table; a step that takes another does not compile.
#pragma once

#include <array>
#include <utility>

#include "engine/target/command.h"

namespace uscst::target {

using Transition = std::pair<CommandState, CommandState>;

// An aborted command also goes from any state to kFinished or, told TASK ABORTED, to kSendStatus.
inline constexpr std::array kTransitions{
    Transition{CommandState::kReceived, CommandState::kParsed},
    Transition{CommandState::kReceived, CommandState::kWaitBuffer},  // an unmapped LUN's INQUIRY
    Transition{CommandState::kReceived, CommandState::kSendStatus},
    Transition{CommandState::kParsed, CommandState::kWaitBuffer},
    Transition{CommandState::kParsed, CommandState::kSendStatus},
    Transition{CommandState::kWaitBuffer, CommandState::kFetchData},
    Transition{CommandState::kWaitBuffer, CommandState::kWaitOrder},
    Transition{CommandState::kWaitBuffer, CommandState::kSendStatus},
    Transition{CommandState::kWaitBuffer, CommandState::kExecuting},  // nothing to order or to check without a LUN
    Transition{CommandState::kFetchData, CommandState::kWaitOrder},
    Transition{CommandState::kFetchData, CommandState::kSendStatus},
    Transition{CommandState::kWaitOrder, CommandState::kWaitGate},
    Transition{CommandState::kWaitGate, CommandState::kChecks},
    Transition{CommandState::kWaitGate, CommandState::kSendStatus},
    Transition{CommandState::kChecks, CommandState::kExecuting},
    Transition{CommandState::kChecks, CommandState::kSendStatus},
    Transition{CommandState::kExecuting, CommandState::kSendData},
    Transition{CommandState::kSendData, CommandState::kSendStatus},
};

// The next state, checked at compile time.
template <CommandState From, CommandState To>
consteval CommandState go() {
  bool allowed = To == CommandState::kFinished;
  for (const Transition& transition : kTransitions) allowed = allowed || transition == Transition{From, To};
  if (!allowed) throw "this transition is not in the table";
  return To;
}

}  // namespace uscst::target
