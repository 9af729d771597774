/* What comes back: HTTP answers and CGI answers, the latter in FastCGI records or bare. */
#include "gwload.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int is_cgi(void) { return options.protocol > HTTP_CLOSE; }

void answer_begin(struct answer *answer) {
  memset(answer, 0, offsetof(struct answer, head));
  answer->content_length = -1;
}

static int begins(const char *line, const char *name) { return !strncasecmp(line, name, strlen(name)); }

static void read_connection(struct answer *answer, const char *value) {
  while (*value == ' ') value++;
  if (begins(value, "close")) answer->closing = 1;
  else if (begins(value, "keep-alive")) answer->closing = 0;
}

static int read_head(struct answer *answer) {
  char *line = answer->head, *end = line + answer->head_bytes;
  int chunked = 0;
  answer->status = 200; /* CGI: no Status field means 200 (RFC 3875 §6.3.3) */
  if (answer->head_bytes > 12 && !memcmp(line, "HTTP/1.", 7)) {
    answer->status = atoi(line + 9);
    answer->is_http11 = line[7] == '1';
    answer->closing = !answer->is_http11;
  } else if (!is_cgi()) {
    return -1;
  }
  for (char *next; line < end && (next = memchr(line, '\n', (size_t)(end - line))); line = next + 1) {
    if (begins(line, "Content-Length:")) answer->content_length = atol(line + 15);
    else if (begins(line, "Connection:")) read_connection(answer, line + 11);
    else if (begins(line, "Transfer-Encoding: chunked")) chunked = 1;
    else if (begins(line, "Status:")) answer->status = atoi(line + 7);
  }
  if (chunked) answer->phase = CHUNK_SIZE;
  else if (is_cgi() || answer->content_length < 0) answer->phase = BODY_TO_END;
  else answer->phase = answer->content_length ? BODY : DONE;
  return 0;
}

/* Collects bytes of the head; how many belonged to it. */
static long take_head(struct answer *answer, const char *bytes, size_t count) {
  size_t had = answer->head_bytes, room = sizeof answer->head - had;
  if (count > room) count = room;
  if (!count) return -1;
  memcpy(answer->head + had, bytes, count);
  size_t from = had > 3 ? had - 3 : 0, separator = 4;
  char *end = memmem(answer->head + from, had + count - from, "\r\n\r\n", 4);
  if (!end && is_cgi()) {
    end = memmem(answer->head + from, had + count - from, "\n\n", 2);
    separator = 2;
  }
  if (!end) {
    answer->head_bytes += count;
    return (long)count;
  }
  answer->head_bytes = (size_t)(end - answer->head) + separator;
  return read_head(answer) ? -1 : (long)(answer->head_bytes - had);
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static long take_chunked(struct answer *answer, const char *bytes, size_t count) {
  char byte = *bytes;
  switch (answer->phase) {
  case CHUNK_SIZE:
    if (byte == '\n') {
      answer->phase = answer->chunk_left ? CHUNK_DATA : TRAILER;
      answer->line_bytes = 0;
    } else if (byte != '\r') {
      int digit = byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
      if (digit < 0 || digit > 15) return -1;
      answer->chunk_left = answer->chunk_left * 16 + (size_t)digit;
    }
    return 1;
  case CHUNK_DATA: {
    size_t piece = smaller(answer->chunk_left, count);
    answer->body_bytes += piece;
    answer->chunk_left -= piece;
    if (!answer->chunk_left) answer->phase = CHUNK_END;
    return (long)piece;
  }
  case CHUNK_END:
    if (byte == '\n') answer->phase = CHUNK_SIZE;
    return 1;
  default: /* TRAILER: an empty line ends it */
    if (byte == '\n') {
      if (!answer->line_bytes) answer->phase = DONE;
      answer->line_bytes = 0;
    } else if (byte != '\r') {
      answer->line_bytes++;
    }
    return 1;
  }
}

static long take_plain(struct answer *answer, const char *bytes, size_t count) {
  size_t taken = 0;
  while (taken < count && answer->phase != DONE) {
    long piece;
    switch (answer->phase) {
    case HEAD: piece = take_head(answer, bytes + taken, count - taken); break;
    case BODY:
      piece = (long)smaller((size_t)answer->content_length - answer->body_bytes, count - taken);
      answer->body_bytes += (size_t)piece;
      if ((long)answer->body_bytes == answer->content_length) answer->phase = DONE;
      break;
    case BODY_TO_END:
      piece = (long)(count - taken);
      answer->body_bytes += (size_t)piece;
      break;
    default: piece = take_chunked(answer, bytes + taken, count - taken);
    }
    if (piece < 0) return -1;
    taken += (size_t)piece;
  }
  return (long)taken;
}

/* FastCGI: STDOUT records (6) carry the answer, END_REQUEST (3) ends it. */
static long take_records(struct answer *answer, const char *bytes, size_t count) {
  for (size_t taken = 0; taken < count;) {
    if (answer->record_bytes < 8) {
      answer->record[answer->record_bytes++] = (unsigned char)bytes[taken++];
      if (answer->record_bytes < 8) continue;
      answer->record_left = (unsigned)answer->record[4] << 8 | answer->record[5];
      answer->padding_left = answer->record[6];
      if (answer->record[0] != 1 || answer->request_ended) return -1;
    } else if (answer->record_left) {
      size_t piece = smaller(answer->record_left, count - taken);
      if (answer->record[1] == 6 && take_plain(answer, bytes + taken, piece) != (long)piece) return -1;
      answer->record_left -= (unsigned)piece;
      taken += piece;
      if (!answer->record_left && answer->record[1] == 3) answer->request_ended = 1;
    } else {
      size_t piece = smaller(answer->padding_left, count - taken);
      answer->padding_left -= (unsigned)piece;
      taken += piece;
    }
    if (answer->record_bytes == 8 && !answer->record_left && !answer->padding_left) answer->record_bytes = 0;
  }
  return (long)count;
}

long answer_take(struct answer *answer, const char *bytes, size_t count) {
  return options.protocol >= FCGI ? take_records(answer, bytes, count) : take_plain(answer, bytes, count);
}

int answer_is_complete(const struct answer *answer, int at_end) {
  if (options.protocol >= FCGI && !answer->request_ended) return 0;
  if (options.protocol == FCGI_KEEP) return answer->phase >= BODY && answer->record_bytes == 0;
  if (answer->phase == DONE) return options.protocol == HTTP || at_end;
  return at_end && answer->phase == BODY_TO_END;
}
