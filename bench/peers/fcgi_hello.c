/* Hello world with libfcgi; accepts on descriptor 0, where spawn-fcgi puts the socket. */
#include <fcgiapp.h>

int main(void) {
  FCGX_Request request;
  FCGX_Init();
  FCGX_InitRequest(&request, 0, 0);
  while (FCGX_Accept_r(&request) >= 0) {
    FCGX_FPrintF(request.out, "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello World\n");
  }
  return 0;
}
