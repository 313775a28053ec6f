#include "engine/srp/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/base/numbers.h"

namespace uscst::srp {
namespace {

struct NumberOption {
  std::string_view name;
  std::uint32_t Parameters::* field;
  std::uint32_t minimum, maximum;
};

constexpr std::array kNumberOptions{
    NumberOption{"srp_max_req_size", &Parameters::srp_max_req_size, 996, 1 << 20},
    NumberOption{"srp_max_rsp_size", &Parameters::srp_max_rsp_size, 40, 1 << 16},
    NumberOption{"srp_max_rdma_size", &Parameters::srp_max_rdma_size, 0, std::numeric_limits<std::int32_t>::max()},
    NumberOption{"srpt_srq_size", &Parameters::srpt_srq_size, 4, 65535},
    NumberOption{"srpt_sq_size", &Parameters::srpt_sq_size, 16, 65535},
};

// Taken by SCST up to 3.6 and without effect since.
constexpr std::array<std::string_view, 4> kWithoutEffect{
    "use_node_guid_in_target_name", "use_port_guid_in_session_name", "one_target_per_port", "max_sge_delta"};

base::Status out_of_range(std::string_view name, std::string_view value, std::uint64_t minimum, std::uint64_t maximum) {
  return base::fail(
      EINVAL, fmt::format("ib_srpt option {}={}: a number from {} to {} is needed", name, value, minimum, maximum));
}

}  // namespace

base::Status Parameters::set(std::string_view name, std::string_view value) {
  auto number = base::parse_unsigned(value);
  if (name == "rdma_cm_port") {
    if (!number || *number > 65535) return out_of_range(name, value, 0, 65535);
    rdma_cm_port = static_cast<std::uint16_t>(*number);
    return {};
  }
  if (name == "srpt_service_guid") {
    if (!number || *number == 0) return out_of_range(name, value, 1, std::numeric_limits<std::uint64_t>::max());
    srpt_service_guid = *number;
    return {};
  }
  if (name == "use_srq") {
    auto yes = base::parse_bool(value);
    if (!yes) return base::fail(EINVAL, fmt::format("ib_srpt option {}={}: y or n is needed", name, value));
    use_srq = *yes;
    return {};
  }
  for (const NumberOption& option : kNumberOptions) {
    if (option.name != name) continue;
    if (!number || *number < option.minimum || *number > option.maximum) {
      return out_of_range(name, value, option.minimum, option.maximum);
    }
    this->*option.field = static_cast<std::uint32_t>(*number);
    return {};
  }
  if (name == "trace_flag" || std::find(kWithoutEffect.begin(), kWithoutEffect.end(), name) != kWithoutEffect.end()) {
    ignored.emplace_back(name);
    return {};
  }
  return base::fail(EINVAL, fmt::format("ib_srpt has no option '{}'", name));
}

std::vector<std::string> Parameters::describe() const {
  std::vector<std::string> lines{fmt::format("rdma_cm_port={}", rdma_cm_port)};
  lines.push_back(srpt_service_guid ? fmt::format("srpt_service_guid=0x{:016x}", *srpt_service_guid)
                                    : std::string("srpt_service_guid=(of the first target)"));
  for (const NumberOption& option : kNumberOptions)
    lines.push_back(fmt::format("{}={}", option.name, this->*option.field));
  lines.push_back(fmt::format("use_srq={}", use_srq ? 'Y' : 'N'));
  return lines;
}

}  // namespace uscst::srp
