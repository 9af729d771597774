// Gives back what it got: the request line, the header fields and the body. The C++ header, one lambda.
#include <nsgi.hpp>

NSGI_APP_WITH(NSGI_THREADSAFE, [](nsgi::Request &request) {
  std::string answer(request.method());
  answer.append(" ").append(request.path());
  if (!request.query().empty()) answer.append("?").append(request.query());
  answer += "\n";
  for (const nsgi_pair &field : request.headers())
    answer.append(nsgi::view(field.name)).append(": ").append(nsgi::view(field.value)).append("\n");
  answer.append("\n").append(request.body());
  return nsgi::Response::text(answer);
})
