/* What is sent: one request of the chosen protocol, as often as a batch has it. */
#include "gwload.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *batch;
size_t batch_bytes;

static struct { const char *name; char value[1024]; } variables[32];
static int variable_count;

static void put(const void *bytes, size_t count) {
  batch = realloc(batch, batch_bytes + count + 1);
  memcpy(batch + batch_bytes, bytes, count);
  batch_bytes += count;
}

__attribute__((format(printf, 1, 2))) static void put_text(const char *format, ...) {
  char text[4096];
  va_list arguments;
  va_start(arguments, format);
  int count = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  put(text, (size_t)count);
}

static void build_http(const char *body) {
  put_text("%s %s HTTP/1.1\r\nHost: localhost\r\n", body ? "POST" : "GET", options.uri);
  if (body) put_text("Content-Type: application/octet-stream\r\nContent-Length: %ld\r\n", options.post_bytes);
  for (int i = 0; i < options.header_count; i++) put_text("%s\r\n", options.headers[i]);
  put_text("%s\r\n", options.protocol == HTTP_CLOSE ? "Connection: close\r\n" : "");
  if (body) put(body, (size_t)options.post_bytes);
}

static void set(const char *name, const char *value) {
  variables[variable_count].name = name;
  snprintf(variables[variable_count++].value, sizeof variables[0].value, "%s", value);
}

/* About what nginx and lighttpd pass on for a small request. */
static void set_variables(int has_body) {
  char length[32], path[1024];
  snprintf(length, sizeof length, "%ld", has_body ? options.post_bytes : 0);
  snprintf(path, sizeof path, "%s", options.uri);
  char *query = strchr(path, '?');
  if (query) *query++ = 0;
  set("CONTENT_LENGTH", length); /* SCGI wants it first */
  if (options.protocol == SCGI) set("SCGI", "1");
  set("REQUEST_METHOD", has_body ? "POST" : "GET");
  set("REQUEST_URI", options.uri);
  set("SCRIPT_NAME", "");
  set("PATH_INFO", path);
  set("QUERY_STRING", query ? query : "");
  set("CONTENT_TYPE", has_body ? "application/octet-stream" : "");
  set("DOCUMENT_ROOT", "/var/www/html");
  set("SERVER_PROTOCOL", "HTTP/1.1");
  set("GATEWAY_INTERFACE", "CGI/1.1");
  set("SERVER_SOFTWARE", "gwload/1");
  set("REQUEST_SCHEME", "http");
  set("REMOTE_ADDR", "127.0.0.1");
  set("REMOTE_PORT", "54321");
  set("SERVER_ADDR", "127.0.0.1");
  set("SERVER_PORT", "80");
  set("SERVER_NAME", "localhost");
  set("HTTP_HOST", "localhost");
  set("HTTP_USER_AGENT", "gwload/1");
  set("HTTP_ACCEPT", "*/*");
}

static void put_little_endian(FILE *out, size_t n) {
  fputc((int)(n & 255), out);
  fputc((int)(n >> 8), out);
}

static void encode_variable(FILE *out, const char *name, const char *value) {
  size_t names = strlen(name), values = strlen(value);
  switch (options.protocol) {
  case SCGI:
    fwrite(name, 1, names + 1, out);
    fwrite(value, 1, values + 1, out);
    return;
  case UWSGI:
    put_little_endian(out, names);
    fwrite(name, 1, names, out);
    put_little_endian(out, values);
    break;
  default: /* FastCGI §3.4; no name here is longer than 127 bytes */
    fputc((int)names, out);
    if (values > 127) {
      fputc((int)(128 | values >> 24), out);
      fputc((int)(values >> 16 & 255), out);
      fputc((int)(values >> 8 & 255), out);
    }
    fputc((int)(values & 255), out);
    fwrite(name, 1, names, out);
  }
  fwrite(value, 1, values, out);
}

static void put_record(int type, const void *content, size_t count) {
  unsigned char header[8] = {1, (unsigned char)type, 0, 1, (unsigned char)(count >> 8), (unsigned char)count};
  put(header, sizeof header);
  if (count) put(content, count);
}

static void build_fastcgi(const char *environment, size_t count, const char *body) {
  unsigned char begin[8] = {0, 1, options.protocol == FCGI_KEEP};
  put_record(1, begin, sizeof begin);
  put_record(4, environment, count);
  put_record(4, NULL, 0);
  for (long done = 0; body && done < options.post_bytes;) {
    long piece = options.post_bytes - done > 65528 ? 65528 : options.post_bytes - done;
    put_record(5, body + done, (size_t)piece);
    done += piece;
  }
  put_record(5, NULL, 0);
}

static void build_gateway(const char *body) {
  char *environment = NULL;
  size_t count = 0;
  set_variables(body != NULL);
  FILE *out = open_memstream(&environment, &count);
  for (int i = 0; i < variable_count; i++) encode_variable(out, variables[i].name, variables[i].value);
  fclose(out);
  if (options.protocol >= FCGI) {
    build_fastcgi(environment, count, body);
  } else {
    unsigned char header[4] = {(unsigned char)options.uwsgi_modifier, (unsigned char)count,
                               (unsigned char)(count >> 8), 0};
    if (options.protocol == SCGI) put_text("%zu:", count);
    else put(header, sizeof header);
    put(environment, count);
    if (options.protocol == SCGI) put(",", 1);
    if (body) put(body, (size_t)options.post_bytes);
  }
  free(environment);
}

void build_batch(void) {
  char *body = NULL;
  if (options.post_bytes >= 0) {
    body = malloc((size_t)options.post_bytes + 1);
    memset(body, 'x', (size_t)options.post_bytes);
  }
  if (options.protocol <= HTTP_CLOSE) build_http(body);
  else build_gateway(body);
  free(body);
  size_t one = batch_bytes;
  batch = realloc(batch, one * (size_t)options.pipeline + 1);
  for (int i = 1; i < options.pipeline; i++) memcpy(batch + (size_t)i * one, batch, one);
  batch_bytes = one * (size_t)options.pipeline;
}
