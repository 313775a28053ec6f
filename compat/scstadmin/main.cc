// scstadmin: lists, saves and applies the configuration of SCST through its tree.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "compat/scstadmin/cached_tree.h"
#include "compat/scstadmin/program.h"

namespace {

// For measurements: what a run asked of the tree.
void print_calls(uscst::scstadmin::Console& console, const uscst::scstadmin::TreeCalls& calls) {
  console.complain(
      "tree: {} directories opened, {} attributes opened ({} of them again), {} links read, {} stats, {} writes\n",
      calls.directories_opened, calls.attributes_read, calls.attributes_read_again, calls.links_read, calls.stats,
      calls.writes);
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
  const bool counts = std::getenv("SCSTADMIN_COUNT_CALLS") != nullptr;
  if (counts) tree.count_calls();
  CachedTree cached(tree);
  const int status = run_options(parsed.options, cached, console);
  if (counts) print_calls(console, tree.calls());
  return status;
}
