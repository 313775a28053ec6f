// What a driver offers whose targets come and go by command (targets/DRIVER/mgmt). The driver implements it beside
// Driver and says by data what its usage text tells; sysfsfs knows the grammar. Control thread; `done` runs once, now
// or later.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/target/attribute.h"
#include "engine/target/handler.h"

namespace uscst::target {

class Target;

class TargetManagement {
 public:
  enum class Change { kAdd, kDelete };

  virtual ~TargetManagement() = default;

  // --- for the usage text; what is empty is left out of it
  virtual std::span<const std::string_view> parameter_names() const { return {}; }            // of add_target
  virtual std::span<const std::string_view> dynamic_attributes() const { return {}; }         // of the driver
  virtual std::span<const std::string_view> dynamic_target_attributes() const { return {}; }  // of its targets
  virtual std::string_view own_usage() const { return {}; }  // lines of the driver's own commands, each with its end

  // What a name answers that the driver's directory shows already, as another target or a file.
  virtual int name_taken_error() const = 0;
  // `parameters` in the order written; an error in their grammar counts after the name's.
  virtual void create_target(const std::string& name, const base::Result<Parameters>& parameters, Done done) = 0;
  // Closes the sessions; done when target, LUNs and groups are gone.
  virtual void delete_target(std::string_view name, Done done) = 0;
  // Called for drivers that name such attributes.
  virtual base::Status change_attribute(Change, std::string_view, std::string_view) { return unsupported(); }
  virtual base::Status change_target_attribute(Change, Target&, std::string_view, std::string_view) {
    return unsupported();
  }
  // Everything else: the whole line.
  virtual void own_command(std::string_view, Done done) { done(unsupported()); }

 private:
  static base::Status unsupported() { return base::fail(EINVAL, "the driver has no such command"); }
};

}  // namespace uscst::target
