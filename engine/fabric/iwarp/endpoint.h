// An iWARP connection in full operation on a TCP socket: a Stream, one receive and one send at a time, and an orderly
// end. Owned by whoever accepted or connected, on its reactor; destroyed from within or after disconnected().
#pragma once

#include <memory>
#include <string>

#include "engine/fabric/fabric.h"
#include "engine/fabric/iwarp/config.h"
#include "engine/fabric/iwarp/socket.h"
#include "engine/fabric/iwarp/stream.h"
#include "engine/io/reactor.h"

namespace uscst::fabric::iwarp {

class IwarpEndpoint final : public Endpoint {
 public:
  // The socket is connected, MPA is done. Begins to receive.
  IwarpEndpoint(io::Reactor& reactor, Socket socket, Role role, const Negotiated& agreed, const Config& config,
                EndpointEvents& events);
  ~IwarpEndpoint() override = default;

  void post(Request& request) override;
  void disconnect() override { begin_close(DisconnectReason::kLocal, "disconnected by this side", true); }
  RemoteBuffer expose(base::MutableBytes memory, Access access) override { return stream_.expose(memory, access); }
  void withdraw(std::uint32_t key) override;

 private:
  // How far the end has come, by what it waits for.
  enum class Closing { kNo, kBatch, kTerminate, kPeer, kOperations };

  void receive_more();
  void on_received(int result);
  void flush();
  void on_sent(int result);
  void on_message(base::Bytes message) { events_.received(message); }

  void begin_close(DisconnectReason reason, std::string detail, bool orderly);
  void end_by_errno(int code, const char* what);
  void continue_close();
  bool batch_is_over();
  bool terminate_is_over();
  bool peer_is_over();
  bool operations_are_over();
  void on_close_timeout();

  io::Reactor& reactor_;
  Socket socket_;
  const Config& config_;
  EndpointEvents& events_;
  Stream stream_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  bool receiving_in_place_ = false;

  Closing closing_ = Closing::kNo;
  bool orderly_ = false;  // the peer is still there: finish the FPDU under way, say why, wait for its FIN
  bool peer_closed_ = false, send_failed_ = false;
  DisconnectReason reason_ = DisconnectReason::kLocal;
  std::string detail_;

  io::Operation receive_{io::Call<int>::to<&IwarpEndpoint::on_received>(this)};
  io::Operation send_{io::Call<int>::to<&IwarpEndpoint::on_sent>(this)};
  io::Deferred flush_{io::Call<>::to<&IwarpEndpoint::flush>(this)};
  io::Deferred close_{io::Call<>::to<&IwarpEndpoint::continue_close>(this)};
  io::Timer close_timer_{io::Call<>::to<&IwarpEndpoint::on_close_timeout>(this)};
};

}  // namespace uscst::fabric::iwarp
