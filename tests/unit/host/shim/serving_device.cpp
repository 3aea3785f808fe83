// serving_device PATH: binds and listens there, then waits to be killed.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

int main(int count, char** words) {
  if (count != 2) return 2;
  const std::string path = words[1];
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 || ::listen(listener, 1) != 0) return 1;
  while (true) ::pause();
}
