// How a value becomes the content of an attribute file, and how the rows of an attribute table become files.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/control/management_queue.h"
#include "engine/target/attribute.h"
#include "sysfsfs/node.h"

namespace uscst::target {
class Device;
class Target;
}  // namespace uscst::target

namespace uscst::sysfsfs {

// Content of the file for `value`: the layout's line ends and, where `key` says so, the line "[key]".
std::string render(std::string_view value, target::Layout layout, bool key);

// Whether the [key] line follows: the one place where this is decided.
bool shows_key(target::KeyRule rule, std::string_view value, std::string_view default_value, bool written);

// Where objects of a class remember which attributes were stored to; null for classes that do not.
template <class Object>
target::WrittenNames* written_names(Object& object) {
  if constexpr (requires { object.written; }) return &object.written;
  return nullptr;
}

// One row for one object. The object outlives every call: the Tree asks its directories first whether they exist.
template <class Object>
class AttributeFile final : public File {
 public:
  AttributeFile(Object& object, const target::Attribute<Object>& row, control::ManagementQueue& queue)
      : object_(object), row_(row), queue_(queue) {}

  base::Result<std::string> content() override {
    if (!row_.show) return File::content();
    auto value = row_.show(object_);
    if (!value) return value;
    std::string default_value = row_.default_of ? row_.default_of(object_) : std::string(row_.default_value);
    target::WrittenNames* written = written_names(object_);
    return render(*value, row_.layout,
                  shows_key(row_.key, *value, default_value, written && written->contains(row_.name)));
  }

  void load(target::ShowDone done) override {
    if (!row_.show_later) return done(content());
    auto rendered = [layout = row_.layout, done = std::move(done)](base::Result<std::string> value) mutable {
      done(value ? base::Result<std::string>(render(*value, layout, false)) : std::move(value));
    };
    queue_.read([this](target::ShowDone gathered) { row_.show_later(object_, std::move(gathered)); },
                std::move(rendered));
  }

  bool takes_nuls() const override { return row_.takes_nuls; }

  void store(std::string text, target::Done done) override {
    if (!row_.store && !row_.store_queued && !row_.store_waiting) return File::store(std::move(text), std::move(done));
    if (row_.check) {
      if (auto status = row_.check(object_, text); !status) return done(std::move(status));
    }
    if (row_.unchanged && row_.unchanged(object_, text)) return done({});
    if (row_.store) {
      auto status = row_.store(object_, text);
      if (status) remember();
      return done(std::move(status));
    }
    if (row_.store_waiting) return row_.store_waiting(object_, std::move(text), std::move(done));
    // The work runs at once, so the object is there; what it does later is its own business.
    queue_.run(
        control::Lock::kFree,
        [this, &text](target::Done finished) { row_.store_queued(object_, std::move(text), std::move(finished)); },
        std::move(done));
  }

 private:
  void remember() {
    if (row_.key != target::KeyRule::kWhenWritten) return;
    if (target::WrittenNames* written = written_names(object_)) written->insert(row_.name);
  }

  Object& object_;
  const target::Attribute<Object>& row_;
  control::ManagementQueue& queue_;
};

// The rows of one table as entries of a directory.
template <class Object>
class AttributeTable {
 public:
  AttributeTable(Object& object, std::span<const target::Attribute<Object>> rows, control::ManagementQueue& queue)
      : object_(object), rows_(rows), queue_(queue) {}

  std::optional<Entry> find(std::string_view name) const {
    for (const auto& row : rows_) {
      if (row.name == name && is_present(row)) {
        return file_entry(row.mode, std::make_unique<AttributeFile<Object>>(object_, row, queue_));
      }
    }
    return std::nullopt;
  }
  void list(std::vector<Listed>& into) const {
    for (const auto& row : rows_) {
      if (is_present(row)) into.push_back({std::string(row.name), EntryKind::kFile});
    }
  }

 private:
  bool is_present(const target::Attribute<Object>& row) const { return !row.present || row.present(object_); }

  Object& object_;
  const std::span<const target::Attribute<Object>> rows_;
  control::ManagementQueue& queue_;
};

}  // namespace uscst::sysfsfs
