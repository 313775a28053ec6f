#include "sysfsfs/driver_management.h"

#include <fmt/format.h>

#include <algorithm>

#include "sysfsfs/commands.h"
#include "sysfsfs/names.h"

namespace uscst::sysfsfs {
namespace {

using target::Driver;
using target::Target;
using target::TargetManagement;
using Change = TargetManagement::Change;

constexpr std::size_t kMaximumNameLength = 1024;  // what FUSE can show

std::string available(std::string_view what, std::span<const std::string_view> names) {
  if (names.empty()) return {};
  return fmt::format("The following {} available: {}\n", what, fmt::join(names, ", "));
}

// "a/b" and "a!b" are two targets to the driver, but have one directory; files of the driver's come before both.
bool shown_as_taken(const Driver& driver, std::string_view name) {
  const std::string shown = shown_name(name);
  const auto attributes = driver.attributes();
  return shown == "mgmt" || (driver.trace_level && shown == "trace_level") ||
         std::ranges::any_of(attributes, [&](const auto& row) { return row.name == shown; }) ||
         std::ranges::any_of(driver.targets(), [&](const auto& t) { return shown_name(t->name()) == shown; });
}

void create_target(Driver& driver, Lexer lexer, target::Done done) {
  TargetManagement& management = *driver.management();
  const std::string name(lexer.word());
  if (name.empty()) return done(base::fail(EINVAL, "add_target: the name of a target is missing"));
  if (name.size() > kMaximumNameLength) {
    return done(base::fail(EINVAL, fmt::format("add_target: a name has {} characters at most", kMaximumNameLength)));
  }
  if (shown_as_taken(driver, name)) {
    return done(base::fail(management.name_taken_error(),
                           fmt::format("the directory of {} has an entry '{}' already", driver.name(), name)));
  }
  management.create_target(name, parse_parameters(lexer.rest()), std::move(done));
}

void delete_target(Driver& driver, Lexer lexer, target::Done done) {
  const std::string_view name = lexer.word();
  if (name.empty()) return done(base::fail(EINVAL, "del_target: the name of a target is missing"));
  if (!lexer.word().empty()) {
    return done(base::fail(EINVAL, "del_target takes the name of a target and nothing else"));
  }
  driver.management()->delete_target(name, std::move(done));
}

base::Status change_attribute(Driver& driver, Change change, bool of_target, Lexer lexer) {
  TargetManagement& management = *driver.management();
  const auto names = of_target ? management.dynamic_target_attributes() : management.dynamic_attributes();
  if (names.empty()) return base::fail(EINVAL, fmt::format("driver {} has no such attributes", driver.name()));
  Target* target = of_target ? driver.find_target(lexer.word()) : nullptr;
  if (of_target && !target) return base::fail(EINVAL, fmt::format("driver {}: no such target", driver.name()));
  const std::string_view name = lexer.word(), value = lexer.word();
  return target ? management.change_target_attribute(change, *target, name, value)
                : management.change_attribute(change, name, value);
}

void carry_out(Driver& driver, std::string_view text, target::Done done) {
  Lexer lexer(text);
  const std::string_view action = lexer.word();
  auto is = [&](std::string_view word) { return equal_without_case(action, word); };
  if (is("add_target")) return create_target(driver, lexer, std::move(done));
  if (is("del_target")) return delete_target(driver, lexer, std::move(done));
  if (is("add_attribute")) return done(change_attribute(driver, Change::kAdd, false, lexer));
  if (is("del_attribute")) return done(change_attribute(driver, Change::kDelete, false, lexer));
  if (is("add_target_attribute")) return done(change_attribute(driver, Change::kAdd, true, lexer));
  if (is("del_target_attribute")) return done(change_attribute(driver, Change::kDelete, true, lexer));
  driver.management()->own_command(text, std::move(done));
}

}  // namespace

std::string target_usage(const TargetManagement& management) {
  std::string text =
      "Usage: echo \"add_target target_name [parameters]\" >mgmt\n"
      "       echo \"del_target target_name\" >mgmt\n";
  if (!management.dynamic_attributes().empty()) {
    text +=
        "       echo \"add_attribute <attribute> <value>\" >mgmt\n"
        "       echo \"del_attribute <attribute> <value>\" >mgmt\n";
  }
  if (!management.dynamic_target_attributes().empty()) {
    text +=
        "       echo \"add_target_attribute target_name <attribute> <value>\" >mgmt\n"
        "       echo \"del_target_attribute target_name <attribute> <value>\" >mgmt\n";
  }
  text += management.own_usage();
  text += "\nwhere parameters are one or more param_name=value pairs separated by ';'\n\n";
  if (!management.own_usage().empty()) text += '\n';
  text += available("parameters", management.parameter_names());
  text += available("target driver attributes", management.dynamic_attributes());
  text += available("target attributes", management.dynamic_target_attributes());
  return text + '\n';
}

void manage_targets(Context& context, Driver& driver, std::string_view text, target::Done done) {
  auto work = [&](target::Done finished) { carry_out(driver, text, std::move(finished)); };
  // Sessions end on their way, without the lock.
  context.queue.run(control::Lock::kFree, work, std::move(done));
}

}  // namespace uscst::sysfsfs
