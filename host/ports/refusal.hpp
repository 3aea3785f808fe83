// Why a request is not served, as its client is told.
#pragma once

#include <string>

namespace vigil::ports {

struct Refusal {
    int status = 500;
    std::string code;     // a cause code, or the class of the error
    std::string title, detail;
    std::string location; // of a redirect, else empty
    friend bool operator==(const Refusal&, const Refusal&) = default;
};

}  // namespace vigil::ports
