// Options of the ib_srpt module as SCST has them (reference: SCST srpt README), read from modprobe.d or the command
// line. A value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace uscst::srp {

struct Parameters {
  std::uint16_t rdma_cm_port = 0;  // 0: listen on nothing
  std::optional<std::uint64_t> srpt_service_guid;
  std::uint32_t srp_max_req_size = 8276;    // bytes: longest IU taken from an initiator
  std::uint32_t srp_max_rsp_size = 256;     // bytes: longest response sent
  std::uint32_t srp_max_rdma_size = 65536;  // bytes: reported only
  bool use_srq = false;
  std::uint32_t srpt_srq_size = 4095;
  std::uint32_t srpt_sq_size = 256;

  // One "name=value". EINVAL names the option, the value and what is allowed. Options of old SCST versions that no
  // longer have an effect are taken and reported in `ignored`.
  base::Status set(std::string_view name, std::string_view value);
  std::vector<std::string> ignored;

  // "name=value" of every option, in the order of the documentation.
  std::vector<std::string> describe() const;
};

}  // namespace uscst::srp
