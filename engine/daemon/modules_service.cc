#include "engine/daemon/modules_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace uscst::daemon {
namespace {

// Everything was said in the first line; what follows is dropped.
class Request final : public control::Conversation {
 public:
  explicit Request(control::ControlConnection& connection)
      : client_(std::make_shared<control::ControlConnection*>(&connection)) {}
  ~Request() override { *client_ = nullptr; }

  base::Result<std::size_t> received(base::Bytes bytes) override { return bytes.size(); }

  void answer(const base::Status& status) { send(*client_, status); }
  // To be called later; nothing happens when the client has gone by then.
  target::Done answer_later() const {
    return [client = client_](const base::Status& status) {
      if (*client) send(*client, status);
    };
  }

 private:
  static void send(control::ControlConnection* client, const base::Status& status) {
    client->send_status(status);
    client->close_when_sent();
  }

  const std::shared_ptr<control::ControlConnection*> client_;
};

void list(const Modules& modules, control::ControlConnection& connection) {
  connection.send_status({});
  for (const Modules::State& state : modules.list())
    connection.send_text(fmt::format("{} {}\n", state.name, state.loaded ? "loaded" : "unloaded"));
  connection.close_when_sent();
}

base::Result<std::unique_ptr<control::Conversation>> carry_out(Modules& modules, control::ControlConnection& connection,
                                                               const std::vector<std::string>& words) {
  auto request = std::make_unique<Request>(connection);
  const std::string action = words.empty() ? "" : words[0];
  if (action == "list" && words.size() == 1) {
    list(modules, connection);
  } else if (action == "load" && words.size() >= 2) {
    request->answer(modules.load(words[1], fmt::format("{}", fmt::join(words.begin() + 2, words.end(), " "))));
  } else if (action == "unload" && words.size() == 2) {
    modules.unload(words[1], request->answer_later());
  } else {
    return base::fail(EINVAL, "modules list, modules load NAME [PARAMETER=VALUE ...] or modules unload NAME is needed");
  }
  return request;
}

}  // namespace

control::ControlService make_modules_service(Modules& modules) {
  return [&modules](control::ControlConnection& connection, const std::vector<std::string>& words) {
    return carry_out(modules, connection, words);
  };
}

}  // namespace uscst::daemon
