// The actions of uscst-initiator on a logged-in session. Each fills the report; an error's code says what went wrong:
// EIO, EPROTO (SCSI), ECONNRESET, ETIMEDOUT (connection), EILSEQ (verify), ENOENT and other errno of files as
// kFileError.
#pragma once

#include "engine/base/result.h"
#include "engine/initiator/blocking_session.h"
#include "engine/initiator/options.h"
#include "engine/initiator/report.h"

namespace uscst::initiator {

inline constexpr int kFileError = ENOENT;  // of any local file, whatever its errno

struct Context {
  const Options& options;
  BlockingSession& session;
  Report& report;
  srp::Lun lun() const { return make_lun(options.lun); }
};

base::Status discover(Context& context);
base::Status luns(Context& context);
base::Status inquire(Context& context);
base::Status capacity(Context& context);
base::Status reset(Context& context);
base::Status raw(Context& context);
// Until standard input ends. A command that fails is answered with its error; the session goes on.
base::Status take_commands(Context& context);

base::Status read_to_file(Context& context);
base::Status write_from_file(Context& context);
base::Status verify(Context& context);
base::Status bench(Context& context);

// Runs the work with the options' depth; `buffer_bytes` per command.
base::Status run_pump(Context& context, class Work& work, std::size_t buffer_bytes);
base::Status synchronize(Context& context);

}  // namespace uscst::initiator
