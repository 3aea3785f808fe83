// Finds sign-in addresses in what a terminal shows, put together from the lines that they were broken over.
//
// Shape:  pure. Lines that the terminal wrapped are joined as they are; lines that the program itself broke at its own width are joined when the address reached that width
//         and the next line holds nothing but the rest of it. What is found is never altered: it is recognised whole, or not at all.
// Units:  an address has at most signin::max_url_bytes. Errors: none.
#pragma once

#include "guest/signin/cells.hpp"
#include "shared/signin/provider.hpp"

#include <string>
#include <vector>

namespace vigil::guest::signin {

/// Sign-in addresses of this provider, in the order in which they stand there, each once. `columns` is the width of the screen.
std::vector<std::string> find_urls(const vigil::signin::ProviderRow& provider, const std::vector<Line>& lines, std::size_t columns);

/// Of addresses that look like a sign-in's and are none of the known forms: in which way, each once.
std::vector<std::string> find_differences(const vigil::signin::ProviderRow& provider, const std::vector<Line>& lines, std::size_t columns);

/// The port on which the address lets the answer come back: of its redirect_uri, when that is on this machine; 0: none.
std::uint16_t callback_port_of(std::string_view url);

}  // namespace vigil::guest::signin
