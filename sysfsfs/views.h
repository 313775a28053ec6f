// The directories of the tree, one source file per kind, and what they share. Control thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/log.h"
#include "engine/control/management_queue.h"
#include "engine/target/registry.h"
#include "sysfsfs/render.h"
#include "sysfsfs/trace_level.h"

namespace uscst::sysfsfs {

// What every directory may need. Owned by TreeFilesystem, outlives all of them.
struct Context {
  target::Registry& registry;
  control::ManagementQueue& queue;
  base::Log& log;
  unsigned long root_trace_level = kDefaultTraceLevel;
  // Of handlers that do not bring a word of their own, by module.
  std::map<std::string, unsigned long, std::less<>> module_trace_levels{};
};

// --- entries of a directory, written once for looking one up, listing all and counting

class Entries {
 public:
  Entries() = default;
  explicit Entries(std::string_view wanted) : wanted_(wanted) {}

  // The name looked for, or nothing when all are to be named.
  const std::optional<std::string_view>& looking_for() const { return wanted_; }
  // Names an entry; true when it is the one looked for and is now to be given.
  bool wants(std::string_view name, EntryKind kind, std::uint64_t identity = 0);
  void give(Entry entry) { found_ = std::move(entry); }
  template <class Object>
  void table(const AttributeTable<Object>& rows) {
    if (!wanted_) return rows.list(listed_);
    if (!found_) found_ = rows.find(*wanted_);
  }
  // A file made of functions.
  using Show = std::function<base::Result<std::string>()>;
  using Store = std::function<void(std::string text, target::Done done)>;
  void file(std::string_view name, mode_t mode, Show show, Store store = {}, std::uint64_t identity = 0);
  // The same with content that comes later, and for writers that can take their work back.
  using ShowLater = std::function<void(target::ShowDone done)>;
  using StoreFor = std::function<void(Writer& writer, std::string text, target::Done done)>;
  void slow_file(std::string_view name, mode_t mode, ShowLater show, StoreFor store = {}, std::uint64_t identity = 0);
  void link(std::string_view name, const std::function<std::string()>& text, std::uint64_t identity = 0);

  std::optional<Entry> take_found() { return std::move(found_); }
  std::vector<Listed> take_listed() { return std::move(listed_); }

 private:
  std::optional<std::string_view> wanted_;
  std::optional<Entry> found_;
  std::vector<Listed> listed_;
};

// A directory that names its entries in one function.
class VisitedDirectory : public Directory {
 public:
  std::optional<Entry> find(std::string_view name) override;
  void list(std::vector<Listed>& into) override;
  std::size_t subdirectory_count() override;

 protected:
  virtual void visit(Entries& entries) = 0;
};

// --- the directories
std::unique_ptr<Directory> root_directory(Context& context);
std::unique_ptr<Directory> handlers_directory(Context& context);
std::unique_ptr<Directory> devices_directory(Context& context);
std::unique_ptr<Directory> drivers_directory(Context& context);
std::unique_ptr<Directory> targets_directory(Context& context, target::Driver& driver);
std::unique_ptr<Directory> luns_directory(Context& context, target::AccessGroup& group);
std::unique_ptr<Directory> ini_groups_directory(Context& context, target::Target& target);
std::unique_ptr<Directory> sessions_directory(Context& context, target::Target& target);
std::unique_ptr<Directory> latency_directory(Context& context, const std::shared_ptr<target::Session>& session);
std::unique_ptr<Directory> sgv_directory(Context& context);
std::unique_ptr<Directory> device_groups_directory(Context& context);

// --- paths below the top, without slashes at the ends
std::string path_of(const target::Device& device);
std::string path_of(const target::Handler& handler);
std::string path_of(const target::Target& target);
std::string path_of(const target::AccessGroup& group);  // of the target for its default group

// --- shared by several kinds
// dif_checks_failed: T10-PI errors seen by a target, session or LUN. Nothing here checks protection information, so all
// are 0, and a write has nothing to clear.
void add_dif_checks_failed(Entries& entries);
std::span<const target::Attribute<target::AccessGroup>> group_attributes();
std::string version_text();
std::string device_type_text(int type);  // "0 - Direct-access device (e.g., magnetic disk)"

}  // namespace uscst::sysfsfs
