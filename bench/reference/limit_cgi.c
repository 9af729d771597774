/* limit_cgi: the least a CGI program can do; what is left is the cost of starting a process. */
#include <unistd.h>

int main(void) {
  static const char answer[] =
      "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello World\n";
  return write(1, answer, sizeof answer - 1) != (ssize_t)(sizeof answer - 1);
}
