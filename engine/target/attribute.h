// Attributes as rows of data: what the engine's objects, the device handlers and the target drivers publish, and what
// sysfsfs renders without knowing any of them. All functions run on the control thread and never block.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace uscst::target {

// The end of a management operation: called exactly once, on the control thread.
using Done = std::move_only_function<void(base::Status)>;
// A value that is gathered elsewhere: called exactly once, on the control thread.
using ShowDone = std::move_only_function<void(base::Result<std::string>)>;

// When a read shows the second line "[key]": keep this in a configuration.
enum class KeyRule {
  kNever,
  kAlways,
  kWhenNotDefault,  // the value shown differs from the row's default
  kWhenWritten,     // it was stored to, or given at creation, whatever the value
};

// How the value becomes the content of the file.
enum class Layout {
  kLine,           // value, newline, [key] line
  kRaw,            // the value is the whole content, never a key line (usage texts, tables)
  kLineOrNothing,  // as kLine, but an empty value is an empty file
  kFileName,       // as kLine with an additional empty line at the end; an empty value reads "none"
};

// One attribute of objects of one class. Rows live in constant arrays.
template <class Object>
struct Attribute {
  std::string_view name;
  mode_t mode = 0444;  // 0444: show only, 0644: both, 0200: store only
  KeyRule key = KeyRule::kNever;
  std::string_view default_value{};  // for kWhenNotDefault
  Layout layout = Layout::kLine;
  // The value without the newline that ends it.
  base::Result<std::string> (*show)(const Object&) = nullptr;
  // Instead of show: a queued read, whose value comes later. Never with a [key] line.
  void (*show_later)(const Object&, ShowDone done) = nullptr;
  // The text as written, at most 4096 bytes, cut at the first NUL unless `takes_nuls`.
  base::Status (*store)(Object&, std::string_view text) = nullptr;
  // Instead of store: goes through the management queue and sets last_sysfs_mgmt_res.
  void (*store_queued)(Object&, std::string text, Done done) = nullptr;
  // Instead of store: not queued, but may answer later.
  void (*store_waiting)(Object&, std::string text, Done done) = nullptr;
  // What is refused before it is queued, so without touching last_sysfs_mgmt_res.
  base::Status (*check)(const Object&, std::string_view text) = nullptr;
  // Where not every object of the class has the attribute.
  bool (*present)(const Object&) = nullptr;
  // Where the default depends on the object; goes before default_value.
  std::string (*default_of)(const Object&) = nullptr;
  // For queued rows that leave the queue alone when the text, checked before, is what the object has already.
  bool (*unchanged)(const Object&, std::string_view text) = nullptr;
  bool takes_nuls = false;  // the value is bytes
};

// The attributes of one object that were stored to or given at creation (KeyRule::kWhenWritten).
class WrittenNames {
 public:
  void insert(std::string_view name) {
    if (!contains(name)) names_ += std::string(name) + '\n';
  }
  void erase(std::string_view name) {
    const std::size_t at = ('\n' + names_).find('\n' + std::string(name) + '\n');
    if (at != std::string::npos) names_.erase(at, name.size() + 1);
  }
  bool contains(std::string_view name) const {
    return ('\n' + names_).find('\n' + std::string(name) + '\n') != std::string::npos;
  }

 private:
  std::string names_;  // few and short: one small string is less than a set
};

}  // namespace uscst::target
