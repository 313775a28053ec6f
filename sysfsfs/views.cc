#include "sysfsfs/views.h"

#include <fmt/format.h>

#include <algorithm>

#include "sysfsfs/names.h"

namespace uscst::sysfsfs {
namespace {

class FunctionFile final : public File {
 public:
  FunctionFile(Entries::Show show, Entries::Store store) : show_(std::move(show)), store_(std::move(store)) {}
  base::Result<std::string> content() override { return show_ ? show_() : File::content(); }
  void store(std::string text, target::Done done) override {
    if (!store_) return File::store(std::move(text), std::move(done));
    store_(std::move(text), std::move(done));
  }

 private:
  const Entries::Show show_;
  const Entries::Store store_;
};

class SlowFunctionFile final : public File {
 public:
  SlowFunctionFile(Entries::ShowLater show, Entries::StoreFor store)
      : show_(std::move(show)), store_(std::move(store)) {}
  void load(target::ShowDone done) override {
    if (!show_) return done(File::content());
    show_(std::move(done));
  }
  void store_for(Writer& writer, std::string text, target::Done done) override {
    if (!store_) return File::store(std::move(text), std::move(done));
    store_(writer, std::move(text), std::move(done));
  }

 private:
  const Entries::ShowLater show_;
  const Entries::StoreFor store_;
};

}  // namespace

bool Entries::wants(std::string_view name, EntryKind kind, std::uint64_t identity) {
  if (wanted_) return !found_ && name == *wanted_;
  listed_.push_back({std::string(name), kind, identity});
  return false;
}

void Entries::file(std::string_view name, mode_t mode, Show show, Store store, std::uint64_t identity) {
  if (!wants(name, EntryKind::kFile, identity)) return;
  give(file_entry(mode, std::make_unique<FunctionFile>(std::move(show), std::move(store)), identity));
}

void Entries::slow_file(std::string_view name, mode_t mode, ShowLater show, StoreFor store, std::uint64_t identity) {
  if (!wants(name, EntryKind::kFile, identity)) return;
  give(file_entry(mode, std::make_unique<SlowFunctionFile>(std::move(show), std::move(store)), identity));
}

void Entries::link(std::string_view name, const std::function<std::string()>& text, std::uint64_t identity) {
  if (wants(name, EntryKind::kLink, identity)) give(link_entry(text(), identity));
}

void add_dif_checks_failed(Entries& entries) {
  constexpr std::string_view kNone =
      "\tapp\tref\tguard\n"
      "tgt\t0\t0\t0\n"
      "scst\t0\t0\t0\n"
      "dev\t0\t0\t0\n";
  entries.file(
      "dif_checks_failed", 0644, [kNone]() -> base::Result<std::string> { return std::string(kNone); },
      [](std::string, target::Done done) { done({}); });
}

std::optional<Entry> VisitedDirectory::find(std::string_view name) {
  Entries entries(name);
  visit(entries);
  return entries.take_found();
}

void VisitedDirectory::list(std::vector<Listed>& into) {
  Entries entries;
  visit(entries);
  auto listed = entries.take_listed();
  into.insert(into.end(), std::make_move_iterator(listed.begin()), std::make_move_iterator(listed.end()));
}

std::size_t VisitedDirectory::subdirectory_count() {
  Entries entries;
  visit(entries);
  auto listed = entries.take_listed();
  auto is_directory = [](const Listed& one) { return one.kind == EntryKind::kDirectory; };
  return static_cast<std::size_t>(std::count_if(listed.begin(), listed.end(), is_directory));
}

std::string path_of(const target::Device& device) { return "devices/" + shown_name(device.name()); }
std::string path_of(const target::Handler& handler) { return fmt::format("handlers/{}", handler.name()); }
std::string path_of(const target::Target& target) {
  return fmt::format("targets/{}/{}", target.driver().name(), shown_name(target.name()));
}
std::string path_of(const target::AccessGroup& group) {
  std::string path = path_of(group.target());
  return group.is_default() ? path : path + "/ini_groups/" + shown_name(group.name());
}

std::string device_type_text(int type) {
  constexpr std::string_view kTypes[] = {"Direct-access device (e.g., magnetic disk)",
                                         "Sequential-access device (e.g., magnetic tape)",
                                         "Printer device",
                                         "Processor device",
                                         "Write-once device (e.g., some optical disks)",
                                         "CD-ROM device",
                                         "Scanner device (obsolete)",
                                         "Optical memory device (e.g., some optical disks)",
                                         "Medium changer device (e.g., jukeboxes)",
                                         "Communications device (obsolete)",
                                         "Defined by ASC IT8 (Graphic arts pre-press devices)",
                                         "Defined by ASC IT8 (Graphic arts pre-press devices)",
                                         "Storage array controller device (e.g., RAID)",
                                         "Enclosure services device",
                                         "Simplified direct-access device (e.g., magnetic disk)",
                                         "Optical card reader/writer device"};
  bool known = type >= 0 && static_cast<std::size_t>(type) < std::size(kTypes);
  return fmt::format("{} - {}", type, known ? kTypes[type] : "unknown");
}

}  // namespace uscst::sysfsfs
