// sessions/S/latency/.
#include "engine/target/latency.h"

#include "engine/target/session.h"
#include "engine/target/shard.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::LatencyStatistics;
using target::Session;
using target::SessionTasks;

// The statistics are the reactor's: `visit` runs there, `done` with what it returns on the control thread.
template <class Visit, class Finish>
void visit_tasks(const std::shared_ptr<SessionTasks>& tasks, Visit visit, Finish finish) {
  tasks->shard().executor().post([tasks, visit = std::move(visit), finish = std::move(finish)]() mutable {
    auto result = visit(*tasks);
    tasks->shard().group().control().post(
        [result = std::move(result), finish = std::move(finish)]() mutable { finish(std::move(result)); });
  });
}

class LatencyDirectory final : public VisitedDirectory {
 public:
  LatencyDirectory(Context& context, const std::shared_ptr<Session>& session)
      : context_(context), tasks_(session ? session->tasks_pointer() : nullptr) {}
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    for (unsigned index = 0; index < LatencyStatistics::kFiles; ++index) {
      entries.slow_file(
          LatencyStatistics::name_of(index), 0644,
          [this, index](target::ShowDone done) { show(index, std::move(done)); },
          [this](Writer&, std::string, target::Done done) { clear(std::move(done)); });
    }
  }

  bool measures() const { return tasks_ && context_.registry.settings.measure_latency; }

  void show(unsigned index, target::ShowDone done) {
    if (!measures()) return done(std::string(LatencyStatistics::kHeader));
    auto text = [index](SessionTasks& tasks) {
      return tasks.latency() ? tasks.latency()->text(index) : std::string(LatencyStatistics::kHeader);
    };
    visit_tasks(tasks_, text, std::move(done));
  }

  // Any file stands for the whole session. Without statistics SCST crashes here; there is nothing to do.
  void clear(target::Done done) {
    if (!measures()) return done({});
    auto zero = [](SessionTasks& tasks) -> base::Status {
      if (tasks.latency()) tasks.latency()->clear();
      return {};
    };
    visit_tasks(tasks_, zero, std::move(done));
  }

  Context& context_;
  const std::shared_ptr<SessionTasks> tasks_;
};

}  // namespace

std::unique_ptr<Directory> latency_directory(Context& context, const std::shared_ptr<Session>& session) {
  return std::make_unique<LatencyDirectory>(context, session);
}

}  // namespace uscst::sysfsfs
