// Everything that runs: builds the engine's parts, hands them to one another, starts and stops them in order. Owned by
// main(), whose thread starts and stops it; nothing here is global.
#pragma once

#include <memory>
#include <vector>

#include "engine/base/log.h"
#include "engine/base/result.h"
#include "engine/control/control_socket.h"
#include "engine/control/management_queue.h"
#include "engine/copy_manager/driver.h"
#include "engine/daemon/modules.h"
#include "engine/daemon/options.h"
#include "engine/daemon/ports.h"
#include "engine/fabric/iwarp/fabric.h"
#include "engine/io/blocking_pool.h"
#include "engine/io/buffer.h"
#include "engine/io/reactor_thread.h"
#include "engine/local/driver.h"
#include "engine/srp/driver.h"
#include "engine/target/registry.h"
#include "handlers/pass_through/handler.h"
#include "handlers/scsi_host/sg_host.h"
#include "handlers/vdisk/handler.h"
#include "sysfsfs/tree_filesystem.h"

namespace uscst::daemon {

class Service {
 public:
  // The options outlive the service.
  Service(const Options& options, base::Log& log);
  ~Service();

  // Makes the engine; nothing is reachable from outside yet. Errors: what the machine does not let us have.
  base::Status build();
  // Serves the tree on `fuse_fd` (the mount is main's).
  base::Status serve_tree(int fuse_fd);
  // Lets initiators in.
  base::Status listen();
  // Called on the control thread when the module scst is unloaded, which ends the service.
  void set_end_service(std::function<void()> end) { modules_->end_service = std::move(end); }
  // Closes the channels, stops listening, stops serving the tree. The threads go on until destruction.
  void stop();

 private:
  struct Worker {
    std::unique_ptr<io::Reactor> reactor;
    std::unique_ptr<target::Shard> shard;
    std::unique_ptr<io::ReactorThread> thread;
  };

  base::Status build_reactors();
  base::Status build_engine();
  void build_handlers();
  void build_scsi_handlers();
  base::Status build_drivers();
  base::Status build_control_socket();
  // --- service_modules.cc
  void name_modules();
  base::Status load_first_modules();
  base::Status load_srpt(std::string_view parameters);
  base::Status load_vdisk(std::string_view parameters);
  base::Status load_local(std::string_view parameters);
  std::vector<target::Handler*> scsi_handlers_named(std::initializer_list<std::string_view> names) const;
  base::Status open_listener(const fabric::Address& address);
  std::vector<fabric::Address> addresses_to_listen_on(const Options& options) const;
  void stop_drivers(io::Job done);
  base::Status listen_on(const fabric::Address& address);

  const Options& options_;
  base::Log& log_;
  io::BlockingPool pool_;
  io::BufferBudget budget_;
  std::unique_ptr<io::Reactor> control_;
  std::unique_ptr<target::ShardGroup> shards_;
  std::vector<Worker> workers_;
  // Before the registry: its devices use the handlers' environment to the end.
  std::unique_ptr<handlers::VdiskEnvironment> vdisk_environment_;
  std::vector<std::unique_ptr<handlers::VdiskHandler>> vdisk_handlers_;
  unsigned long vdisk_trace_level_;
  std::unique_ptr<handlers::PassThroughEnvironment> pass_through_environment_;
  std::vector<std::unique_ptr<target::Handler>> scsi_handlers_;
  handlers::KernelSgCalls sg_calls_;
  std::unique_ptr<target::Registry> registry_;
  std::unique_ptr<handlers::SgHost> machine_host_;
  std::unique_ptr<handlers::SimScsiHost> simulated_host_;
  std::unique_ptr<control::ManagementQueue> queue_;
  std::unique_ptr<copy_manager::Driver> copy_manager_;
  std::unique_ptr<srp::Driver> srpt_;
  Ports ports_;
  std::unique_ptr<local::Driver> local_;
  std::unique_ptr<Modules> modules_;
  bool serving_ = false;  // initiators are let in
  std::unique_ptr<control::ControlSocket> control_socket_;
  std::unique_ptr<fabric::iwarp::IwarpFabric> fabric_;
  std::vector<std::unique_ptr<fabric::Listener>> listeners_;
  std::unique_ptr<sysfsfs::TreeFilesystem> tree_;
  std::unique_ptr<io::ReactorThread> control_thread_;  // runs last, ends first
};

}  // namespace uscst::daemon
