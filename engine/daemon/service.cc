#include "engine/daemon/service.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include <filesystem>
#include <future>
#include <thread>

#include "engine/daemon/modules_service.h"
#include "engine/daemon/stpg_program.h"
#include "engine/local/service.h"
#include "engine/target/device_groups.h"

namespace uscst::daemon {
namespace {

constexpr unsigned long kDefaultTraceLevel = 0x2508;  // out_of_mem | pid | special | mgmt
constexpr auto kChannelsEndLimit = std::chrono::seconds(10);
// The kernel closes what a killed daemon's rings hold, its listening sockets among them, a moment after the process
// ended.
constexpr auto kAddressInUseLimit = std::chrono::seconds(5);
constexpr auto kAddressInUseRetry = std::chrono::milliseconds(50);

unsigned usable_processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

// scst_max_cmd_mem: a quarter of the machine's memory where nothing else is said.
std::uint64_t command_memory_bytes(const Options& options) {
  if (options.maximum_command_memory_mb) return *options.maximum_command_memory_mb << 20;
  struct sysinfo info{};
  sysinfo(&info);
  return static_cast<std::uint64_t>(info.totalram) * info.mem_unit / 4;
}

io::ReactorKind reactor_kind(const Options& options) {
  if (options.io == "io_uring") return io::ReactorKind::kUring;
  return options.io == "epoll" ? io::ReactorKind::kEpoll : io::ReactorKind::kAutomatic;
}

base::Status make_state_directories(const std::string& state) {
  for (const char* name : {"/pr", "/vdev_mode_pages"}) {
    std::error_code error;
    std::filesystem::create_directories(state + name, error);
    if (error) return base::fail(error.value(), fmt::format("{}{}: {}", state, name, error.message()));
  }
  return {};
}

// IPv6 may be switched off: where no address was asked for, IPv4 alone will do.
bool is_any_ipv6(const Options& options, const fabric::Address& address) {
  return options.listen.empty() && address.host == "::";
}

}  // namespace

Service::Service(const Options& options, base::Log& log)
    : options_(options), log_(log), budget_(command_memory_bytes(options)), vdisk_trace_level_(kDefaultTraceLevel) {}

// Threads first, so that nothing runs while its parts go; the control thread last, since the others post to it.
Service::~Service() {
  for (Worker& worker : workers_) worker.thread.reset();
  control_thread_.reset();
}

base::Status Service::build() {
  if (auto made = make_state_directories(options_.state_directory); !made) return made;
  if (auto made = build_reactors(); !made) return made;
  return build_engine();
}

base::Status Service::build_reactors() {
  auto control = io::make_reactor(reactor_kind(options_), pool_, log_);
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  shards_ = std::make_unique<target::ShardGroup>(*control_);
  const unsigned count = options_.reactors > 0 ? options_.reactors : usable_processors();
  for (unsigned i = 0; i < count; ++i) {
    auto reactor = io::make_reactor(reactor_kind(options_), pool_, log_);
    if (!reactor) return std::unexpected(reactor.error());
    Worker& worker = workers_.emplace_back();
    worker.reactor = std::move(*reactor);
    worker.shard = std::make_unique<target::Shard>(*shards_, *worker.reactor, worker.reactor.get(), budget_);
    shards_->shards.push_back(worker.shard.get());
  }
  return {};
}

base::Status Service::build_engine() {
  registry_ = std::make_unique<target::Registry>(*shards_, log_);
  registry_->reservation_place = {options_.state_directory + "/pr", control_.get()};
  registry_->settings.default_threads = static_cast<int>(usable_processors());
  registry_->settings.threads = options_.threads.value_or(registry_->settings.default_threads);
  registry_->settings.forcibly_close_sessions = options_.forcibly_close_sessions;
  registry_->settings.async_lun_replace = options_.async_lun_replace;
  queue_ = std::make_unique<control::ManagementQueue>(*control_);
  if (!options_.stpg_program.empty())
    registry_->device_groups().explicit_alua().set_listener(stpg_listener(options_.stpg_program, *control_));

  build_handlers();
  copy_manager_ =
      std::make_unique<copy_manager::Driver>(*registry_, *shards_->shards.front(), options_.auto_cm_assignment);
  build_scsi_handlers();
  if (auto built = build_drivers(); !built) return built;
  modules_ = std::make_unique<Modules>(*registry_, log_);
  name_modules();
  if (auto loaded = load_first_modules(); !loaded) return loaded;
  if (auto built = build_control_socket(); !built) return built;
  tree_ = std::make_unique<sysfsfs::TreeFilesystem>(*control_, *registry_, *queue_, log_);

  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i].thread = std::make_unique<io::ReactorThread>(
        *workers_[i].reactor, io::ReactorThread::Options{.name = fmt::format("reactor{}", i), .cpu = std::nullopt});
  }
  control_thread_ = std::make_unique<io::ReactorThread>(
      *control_, io::ReactorThread::Options{.name = "control", .cpu = std::nullopt});
  return {};
}

void Service::build_handlers() {
  // A backing file below our own mount would be read by the thread that serves it.
  auto forbidden = [tree = options_.sysfs_directory](const std::string& path) { return path.starts_with(tree + "/"); };
  vdisk_environment_.reset(new handlers::VdiskEnvironment{*control_, pool_, log_, options_.state_directory, forbidden});
  using enum handlers::VdiskKind;
  for (handlers::VdiskKind kind : {kFileio, kBlockio, kNullio, kCdrom}) {
    vdisk_handlers_.push_back(std::make_unique<handlers::VdiskHandler>(kind, *vdisk_environment_));
    vdisk_handlers_.back()->trace_level = &vdisk_trace_level_;
  }
}

base::Status Service::build_drivers() {
  auto interfaces = fabric::iwarp::interfaces();
  if (!interfaces) return std::unexpected(interfaces.error());
  auto ports = decide_ports(options_, *interfaces, log_);
  if (!ports) return std::unexpected(ports.error());
  ports_ = std::move(*ports);
  srpt_ = std::make_unique<srp::Driver>(*registry_, log_, options_.srpt, ports_.service_guid);
  local_ = std::make_unique<local::Driver>(*registry_, log_);
  fabric::iwarp::Config config;
  config.require_crc = options_.require_crc;
  config.maximum_message_bytes = std::max<std::size_t>(config.maximum_message_bytes, options_.srpt.srp_max_req_size);
  fabric_ = std::make_unique<fabric::iwarp::IwarpFabric>(*control_, config, log_);
  return {};
}

base::Status Service::build_control_socket() {
  control_socket_ = std::make_unique<control::ControlSocket>(*control_, log_);
  control_socket_->add_service("local", local::make_service(*local_));
  control_socket_->add_service("modules", make_modules_service(*modules_));
  if (auto listening = control_socket_->listen(options_.control_socket); !listening) {
    if (options_.needs_control_socket) return listening;
    log_.warning("there is no control socket: {}", listening.error().text);
  }
  return {};
}

void Service::build_scsi_handlers() {
  pass_through_environment_.reset(new handlers::PassThroughEnvironment{*control_, pool_, log_});
  for (const handlers::PassThroughKind& kind : handlers::pass_through_kinds())
    scsi_handlers_.push_back(std::make_unique<handlers::PassThroughHandler>(kind, *pass_through_environment_));
  scsi_handlers_.push_back(std::make_unique<handlers::UserHandler>());
  simulated_host_ = std::make_unique<handlers::SimScsiHost>();
  for (const auto& device : options_.simulated_devices) simulated_host_->add(device);
  handlers::show_scsi_devices(*simulated_host_, *registry_, *pass_through_environment_);
  if (!options_.machine_scsi_hosts) return;
  machine_host_ = std::make_unique<handlers::SgHost>(handlers::SgHost::Places{}, sg_calls_, *control_, log_);
  handlers::show_scsi_devices(*machine_host_, *registry_, *pass_through_environment_);
}

base::Status Service::serve_tree(int fuse_fd) {
  base::Status status;
  control_thread_->call([&] {
    status = tree_->attach(fuse_fd);
    if (status && machine_host_) machine_host_->watch();
  });
  return status;
}

// Control thread.
base::Status Service::open_listener(const fabric::Address& address) {
  auto listener = fabric_->listen(address, [this](std::unique_ptr<fabric::ConnectionRequest> request) {
    srpt_->connection_requested(std::move(request));
  });
  if (!listener) {
    return base::fail(listener.error().code, fmt::format("cannot listen on {} port {}: {}", address.host, address.port,
                                                         listener.error().text));
  }
  const fabric::Address at = (*listener)->address();
  log_.info("listening on {} port {}", at.host, at.port);
  listeners_.push_back(std::move(*listener));
  return {};
}

base::Status Service::listen_on(const fabric::Address& address) {
  const auto give_up = std::chrono::steady_clock::now() + kAddressInUseLimit;
  base::Status listening;
  auto try_once = [&] { control_thread_->call([&] { listening = open_listener(address); }); };
  try_once();
  while (!listening && listening.error().code == EADDRINUSE && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kAddressInUseRetry);
    try_once();
  }
  return listening;
}

base::Status Service::listen() {
  if (options_.fabric == "verbs") return base::fail(EOPNOTSUPP, "--fabric verbs is not built in yet; use iwarp");
  bool has_srpt = false;
  control_thread_->call([&] {
    control_socket_->start();
    serving_ = true;
    has_srpt = registry_->find_driver(srpt_->name()) != nullptr;
  });
  if (!has_srpt) return {};
  const auto addresses = addresses_to_listen_on(options_);
  if (addresses.empty())
    log_.warning("listening on nothing: set `options ib_srpt rdma_cm_port=5000` in /etc/modprobe.d or use --listen");
  for (const fabric::Address& address : addresses) {
    auto listening = listen_on(address);
    if (listening) continue;
    if (!is_any_ipv6(options_, address)) return listening;
    log_.info("{}", listening.error().text);
  }
  return {};
}

// Control thread; one after the other.
void Service::stop_drivers(io::Job done) {
  srpt_->stop([this, done = std::move(done)]() mutable {
    local_->stop([this, done = std::move(done)]() mutable { copy_manager_->stop(std::move(done)); });
  });
}

void Service::stop() {
  if (!control_thread_) return;
  auto ended = std::make_shared<std::promise<void>>();
  auto all_ended = ended->get_future();
  control_thread_->call([&] {
    listeners_.clear();
    if (machine_host_) machine_host_->stop();
    control_socket_->stop([this, ended] { stop_drivers([ended] { ended->set_value(); }); });
  });
  if (all_ended.wait_for(kChannelsEndLimit) != std::future_status::ready) {
    log_.warning("commands still run after {} s; stopping without them", kChannelsEndLimit.count());
  }
  control_thread_->call([&] { tree_->detach(); });
}

}  // namespace uscst::daemon
