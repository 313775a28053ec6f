// A device handler: makes devices out of parameters. Built by main() and registered with the Registry. Control thread.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/target/attribute.h"

namespace uscst::target {

class Device;
class Registry;

// The parameters of add_device in the order written; names as written, compared without case.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// The device that was made, or why not.
using DeviceMade = std::move_only_function<void(base::Result<std::shared_ptr<Device>>)>;

class Handler {
 public:
  virtual ~Handler() = default;
  virtual std::string_view name() const = 0;
  virtual int type() const = 0;  // peripheral device type (SPC-5 6.7.2); -1: any
  // Parameter names of add_device in the order of the usage text; empty for handlers of real SCSI devices.
  virtual std::span<const std::string_view> parameter_names() const = 0;
  virtual bool is_pass_through() const { return false; }
  virtual bool has_mgmt() const { return true; }  // devices are made and assigned through the tree
  virtual int default_threads_num() const = 0;
  // Makes a device; the Registry has checked that the name is free and well formed and adds what it is given.
  virtual void create(Registry& registry, const std::string& device_name, const Parameters& parameters,
                      DeviceMade made) = 0;
  // Pass-through: takes a SCSI device over while no command of it runs, or says why not; lets it go.
  virtual void attach(Device& device, Done done);
  virtual void detach(Device& device);
  virtual std::span<const Attribute<Handler>> attributes() const { return {}; }
  // The trace_level word that the tree shows; handlers of one module share one.
  unsigned long* trace_level = nullptr;
};

}  // namespace uscst::target
