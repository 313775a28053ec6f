// Kernel modules as uscstd has them: names that can be loaded and unloaded while it runs, so that tools which call
// modprobe(8) get the matching effect. A module brings handlers or a driver into the tree and takes them out again; the
// objects themselves live as long as the service. Owned by Service; control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/target/registry.h"

namespace uscst::daemon {

class Modules {
 public:
  // What a module brings. `parameters`: "name=value ..." over those of modprobe.d.
  struct Module {
    std::string name;
    std::vector<target::Handler*> handlers{};
    target::Driver* driver = nullptr;
    // Takes the parameters over, and prepares the driver; nothing where the module has none. Undone by `unload`.
    std::function<base::Status(std::string_view parameters)> load{};
    // Keeps newcomers out, before the driver's targets go.
    std::function<void()> leave{};
  };

  Modules(target::Registry& registry, base::Log& log) : registry_(registry), log_(log) {}

  void add(Module module);

  // Loading what is loaded succeeds and changes nothing, as with modprobe. "-" and "_" are the same in names.
  // ENOENT: there is no such module here. Others: the module's.
  base::Status load(std::string_view name, std::string_view parameters);
  // Takes the module's devices or targets away, with their LUNs and sessions, then its directories. Unloading what is
  // not loaded succeeds. EBUSY: other modules need it, or it is on its way already; ENOENT as above.
  void unload(std::string_view name, target::Done done);

  // In the order of add(): what there is, and whether it is loaded.
  struct State {
    std::string_view name;
    bool loaded;
  };
  std::vector<State> list() const;

  // The module that all others need. It is loaded as long as the service runs; unloading it ends the service.
  static constexpr std::string_view kCore = "scst";
  std::function<void()> end_service;

 private:
  enum class Stage { kUnloaded, kLoaded, kLeaving };
  struct Known {
    Module module;
    Stage stage = Stage::kUnloaded;
  };
  Known* find(std::string_view name);
  bool any_loaded() const;
  void remove_handlers(Known& known, target::Done done);
  void unload_core(target::Done done);

  target::Registry& registry_;
  base::Log& log_;
  std::vector<std::unique_ptr<Known>> known_;
};

}  // namespace uscst::daemon
