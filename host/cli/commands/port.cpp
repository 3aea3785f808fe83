// vigil port: ports of a VM on this machine's loopback address, until interrupted.
#include "host/cli/commands.hpp"
#include "host/cli/guest_stream.hpp"
#include "host/cli/port_forward.hpp"
#include "host/cli/raw_terminal.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <poll.h>

#include <charconv>
#include <cstdio>

namespace vigil::cli {

namespace {

struct PortOptions {
  std::string vm;
  std::vector<std::string> ports;
};

struct PortPair { std::uint16_t guest = 0, local = 0; };

Result<std::uint16_t> parse_port(std::string_view text, std::uint16_t lowest) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port < lowest) return Error(Errc::invalid, std::string(text) + " is not a port");
  return port;
}

/// "6080" or "6080:8080".
Result<PortPair> parse_pair(const std::string& word) {
  const auto colon = word.find(':');
  TRY(guest, parse_port(std::string_view(word).substr(0, colon), 1));
  if (colon == std::string::npos) return PortPair{guest, guest};
  TRY(local, parse_port(std::string_view(word).substr(colon + 1), 0));
  return PortPair{guest, local};
}

Result<std::vector<std::unique_ptr<PortForward>>> open_all(Cli& cli, const PortOptions& options) {
  std::vector<std::unique_ptr<PortForward>> forwards;
  for (const auto& word : options.ports) {
    TRY(pair, parse_pair(word));
    TRY(forward, PortForward::listen(cli.daemon, options.vm, pair.guest, pair.local));
    forwards.push_back(std::move(forward));
  }
  return forwards;
}

int run_port(Cli& cli, const PortOptions& options) {
  const auto known = cli.client().get(instance_path(options.vm));
  if (!known) return fail(known.error());
  const RawTerminal signals(RawTerminal::Mode::as_it_is);
  auto forwards = open_all(cli, options);
  if (!forwards) return fail(forwards.error());
  for (const auto& forward : *forwards)
    std::printf("127.0.0.1:%u -> %s:%u\n", unsigned{forward->local_port()}, safe(options.vm).c_str(), unsigned{forward->guest_port()});
  std::fflush(stdout);
  std::vector<pollfd> waits{{signals.signals(), POLLIN, 0}};
  for (const auto& forward : *forwards) waits.push_back({forward->listener(), POLLIN, 0});
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail(Error::from_errno("poll", errno));
    if (waits.front().revents) return 0;
    for (std::size_t i = 1; i < waits.size(); ++i)
      if (waits[i].revents) (*forwards)[i - 1]->accept_one();
  }
}

}  // namespace

void add_port(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<PortOptions>();
  add_verb(app, cli, "port", "reach TCP ports of a VM on 127.0.0.1, until interrupted", [&cli, options] { return run_port(cli, *options); })
      .text("vm", options->vm, "name, id or unique prefix of an id", Need::required)
      .texts("port", options->ports, "PORT of the VM, or PORT:LOCAL (LOCAL 0: any free one); repeatable", Need::required);
}

}  // namespace vigil::cli
