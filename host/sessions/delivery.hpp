// A credential from the vault into a user's CLI VM, and whether the provider's own tool takes it there.
//
// Shape:  a CLI renews its credential where it uses it: a file that is there is not replaced by the same version that was given before.
//         The file lies where the provider's row says, in the home directory of the guest's user, his and 0600; it appears whole or not at all. The check is that row's command: its exit
//         status alone is the verdict; what cannot be run is untested.
// Thread: the event thread; `vms` and `vault` outlive it.
#pragma once

#include "host/sessions/session_log.hpp"
#include "host/sessions/vms.hpp"
#include "host/vault/vault.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace vigil::sessions {

class Delivery {
public:
  Delivery(Vms& vms, vault::Vault& vault, const Clock& clock, std::chrono::milliseconds patience)
      : vms_(vms), vault_(vault), clock_(clock), patience_(patience) {}

  enum class Replace { always, only_what_is_missing };
  boost::asio::awaitable<Delivered> deliver(vault::EntryKey of, CliVm to, std::string actor, Replace replace);
  /// Remembered in the vault, too.
  boost::asio::awaitable<Checked> check(vault::EntryKey of, CliVm in);
  /// VmControl::open_stream, awaited.
  boost::asio::awaitable<Result<streams::GuestStream>> open(InstanceId vm, std::string opening);

private:
  struct Home {
    std::string path;
    bool has_file = false;
  };
  boost::asio::awaitable<Result<Home>> make_directory(CliVm in, std::string file);

  Vms& vms_;
  vault::Vault& vault_;
  const Clock& clock_;
  std::chrono::milliseconds patience_;
};

}  // namespace vigil::sessions
