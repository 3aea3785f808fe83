// How Catch2 prints a Result and an Error: without this it tries boost's operator<<, which our Error has not.
#pragma once

#include "shared/base/result.hpp"

#include <catch2/catch_tostring.hpp>

template <>
struct Catch::StringMaker<vigil::Error> {
  static std::string convert(const vigil::Error& error) { return std::string(to_text(error.code())) + ": " + error.message(); }
};

template <class T>
struct Catch::StringMaker<boost::system::result<T, vigil::Error>> {
  static std::string convert(const boost::system::result<T, vigil::Error>& result) {
    return result ? "a value" : StringMaker<vigil::Error>::convert(result.error());
  }
};
