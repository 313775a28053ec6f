#include "engine/daemon/modules.h"

#include <fmt/format.h>

#include <algorithm>

namespace uscst::daemon {
namespace {

std::string with_underscores(std::string_view name) {
  std::string spelled(name);
  std::replace(spelled.begin(), spelled.end(), '-', '_');
  return spelled;
}

base::Status unknown(std::string_view name) {
  return base::fail(ENOENT, fmt::format("module {}: uscst has none of this name", name));
}

}  // namespace

void Modules::add(Module module) { known_.push_back(std::make_unique<Known>(Known{.module = std::move(module)})); }

Modules::Known* Modules::find(std::string_view name) {
  auto found = std::ranges::find_if(
      known_, [wanted = with_underscores(name)](const auto& known) { return known->module.name == wanted; });
  return found == known_.end() ? nullptr : found->get();
}

bool Modules::any_loaded() const {
  return std::ranges::any_of(known_, [](const auto& known) { return known->stage != Stage::kUnloaded; });
}

std::vector<Modules::State> Modules::list() const {
  std::vector<State> states{{kCore, true}};
  for (const auto& known : known_) states.push_back({known->module.name, known->stage != Stage::kUnloaded});
  return states;
}

base::Status Modules::load(std::string_view name, std::string_view parameters) {
  if (with_underscores(name) == kCore) return {};
  Known* known = find(name);
  if (!known) return unknown(name);
  if (known->stage == Stage::kLoaded) return {};
  Module& module = known->module;
  if (known->stage == Stage::kLeaving)
    return base::fail(EBUSY, fmt::format("module {}: it is being unloaded", module.name));
  if (module.load) {
    if (auto loaded = module.load(parameters); !loaded) return loaded;
  }
  for (target::Handler* handler : module.handlers) registry_.add_handler(*handler);
  if (module.driver) registry_.add_driver(*module.driver);
  known->stage = Stage::kLoaded;
  log_.info("module {} loaded", module.name);
  return {};
}

void Modules::unload_core(target::Done done) {
  if (any_loaded()) return done(base::fail(EBUSY, fmt::format("module {}: other modules use it", kCore)));
  if (!end_service) return done(base::fail(EBUSY, fmt::format("module {}: the service was told to stay", kCore)));
  done({});
  end_service();
}

void Modules::unload(std::string_view name, target::Done done) {
  if (with_underscores(name) == kCore) return unload_core(std::move(done));
  Known* known = find(name);
  if (!known) return done(unknown(name));
  Module& module = known->module;
  if (known->stage == Stage::kUnloaded) return done({});
  if (known->stage == Stage::kLeaving)
    return done(base::fail(EBUSY, fmt::format("module {}: it is being unloaded", module.name)));
  known->stage = Stage::kLeaving;
  if (module.leave) module.leave();
  auto finish = [this, known, done = std::move(done)](base::Status status) mutable {
    known->stage = status ? Stage::kUnloaded : Stage::kLoaded;
    if (status) log_.info("module {} unloaded", known->module.name);
    done(std::move(status));
  };
  if (module.driver) return registry_.remove_driver(*module.driver, std::move(finish));
  remove_handlers(*known, std::move(finish));
}

// One after the other; each takes its devices with it.
void Modules::remove_handlers(Known& known, target::Done done) {
  auto still_there = std::ranges::find_if(known.module.handlers, [this](const target::Handler* handler) {
    return std::ranges::find(registry_.handlers(), handler) != registry_.handlers().end();
  });
  if (still_there == known.module.handlers.end()) return done({});
  registry_.remove_handler(**still_there, [this, &known, done = std::move(done)](base::Status status) mutable {
    if (!status) return done(std::move(status));
    remove_handlers(known, std::move(done));
  });
}

}  // namespace uscst::daemon
