// A session of scst_local: commands come from the target host itself. Shared with jobs under way; the driver holds it
// until it has ended. Control thread.
#pragma once

#include <string>
#include <vector>

#include "engine/target/local_session.h"

namespace uscst::local {

class Session final : public target::LocalSession {
 public:
  // `number` is never used again, `host_number` is once the session has ended.
  Session(target::Shard& shard, unsigned number, unsigned host_number);

  bool can_close() const override { return true; }
  std::span<const target::Attribute<target::Session>> attributes() const override;
  std::vector<Link> links() const override;

  unsigned host_number() const { return host_number_; }
  // SPC-5 7.6.4; as made (SAS, 24 bytes) or as an administrator wrote it.
  std::string transport_id;

 private:
  const unsigned host_number_;
};

}  // namespace uscst::local
