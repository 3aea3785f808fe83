// Result<T>: a T, or an Error that the caller must look at.
//
// TRY(name, expr) declares `name` as the value of `expr` or returns its error from the enclosing function;
// TRY_VOID(expr) does it for Result<void>; CO_TRY / CO_TRY_VOID are the forms for coroutines. They are declaration macros and
// not statement expressions: GCC 12 destroys temporaries twice when they share a full expression with co_await.
#pragma once

#include "shared/base/error.hpp"

#include <boost/system/result.hpp>

#include <stdexcept>

namespace vigil {

template <class T>
using Result = boost::system::result<T, Error>;

/// Called by result::value() on an error: reaching it is a bug in the caller, who did not look.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("unchecked result: " + error.message());
}

}  // namespace vigil

#define TRY(name, expr)                                       \
  auto name##_result = (expr);                                \
  if (!name##_result) return name##_result.error();           \
  auto& name = *name##_result

#define TRY_VOID(expr)                                        \
  do {                                                        \
    if (auto try_result = (expr); !try_result) return try_result.error(); \
  } while (false)

#define CO_TRY(name, expr)                                    \
  auto name##_result = (expr);                                \
  if (!name##_result) co_return name##_result.error();        \
  auto& name = *name##_result

#define CO_TRY_VOID(name, expr)                               \
  auto name##_result = (expr);                                \
  if (!name##_result) co_return name##_result.error()
