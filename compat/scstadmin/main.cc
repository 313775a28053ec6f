// scstadmin: lists, saves and applies the configuration of SCST through its tree.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "compat/scstadmin/cached_tree.h"
#include "compat/scstadmin/program.h"

namespace {

// For measurements: what a run asked of the tree.
void print_calls(uscst::scstadmin::Console& console, const uscst::scstadmin::CallCounts& calls) {
  console.complain(
      "tree: {} directories opened, {} attributes opened ({} of them again), {} links read, {} stats, {} writes\n",
      calls.directories_opened.load(), calls.attributes_read.load(), calls.attributes_read_again(),
      calls.links_read.load(), calls.stats.load(), calls.writes.load());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace uscst::scstadmin;
  const std::vector<std::string> words(argv + 1, argv + argc);
  Console console(std::cout, std::cerr, std::cin);
  const ParsedOptions parsed = parse_options(words);
  for (const std::string& error : parsed.errors) console.complain("{}\n", error);
  if (!parsed.errors.empty()) return 1;

  constexpr const char* kDefaultRoot = "/sys/kernel/scst_tgt";
  const char* from_environment = std::getenv("SCST_SYSFS");
  std::string root = parsed.options.get("sysfs");
  if (root.empty()) root = from_environment != nullptr && *from_environment != '\0' ? from_environment : kDefaultRoot;
  if (root == kDefaultRoot && ::geteuid() != 0) {
    console.complain("This program must run as root.\n");
    return 1;
  }
  SysfsTree tree(root);
  const std::shared_ptr<CallCounts> counts =
      std::getenv("SCSTADMIN_COUNT_CALLS") != nullptr ? std::make_shared<CallCounts>() : nullptr;
  tree.count_calls(counts);
  CachedTree cached(tree, [&] {
    auto another = std::make_unique<SysfsTree>(root);
    another->count_calls(counts);
    return another;
  });
  const int status = run_options(parsed.options, cached, console);
  if (counts) print_calls(console, *counts);
  return status;
}
