// Asio's own code, compiled once for the whole host (BOOST_ASIO_SEPARATE_COMPILATION): every other source then only reads declarations.
#include <boost/asio/impl/src.hpp>
