/* What libnghttp2 makes of the bytes of fuzzing, in the form that FuzzOracle.swift compares. */
#include "nghttp2_oracle.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { MOST_FIELDS = 64, MOST_STREAMS = 4 };

static void put(struct oracle_text *text, const void *bytes, size_t count) {
  if (text->room - text->count < count) {
    size_t room = 2 * (text->count + count) + 64;
    uint8_t *more = realloc(text->bytes, room);
    if (!more) abort();
    text->bytes = more;
    text->room = room;
  }
  if (count > 0) memcpy(text->bytes + text->count, bytes, count);
  text->count += count;
}

static void put_number(struct oracle_text *text, uint32_t number) {
  uint8_t bytes[4] = {
    (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
  put(text, bytes, sizeof bytes);
}

static void put_string(struct oracle_text *text, const void *bytes, size_t count) {
  put_number(text, (uint32_t)count);
  put(text, bytes, count);
}

void oracle_text_free(struct oracle_text *text) {
  free(text->bytes);
  memset(text, 0, sizeof *text);
}

/* HPACK */

void *oracle_decoder_new(void) {
  nghttp2_hd_inflater *inflater = NULL;
  if (nghttp2_hd_inflate_new(&inflater) != 0) abort();
  return inflater;
}

void oracle_decoder_free(void *decoder) { nghttp2_hd_inflate_del(decoder); }

int oracle_decode(void *decoder, const uint8_t *block, size_t count, struct oracle_text *fields) {
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    ssize_t used = nghttp2_hd_inflate_hd2(decoder, &field, &flags, block, count, 1);
    if (used < 0) return -1;
    block += used;
    count -= (size_t)used;
    if (flags & NGHTTP2_HD_INFLATE_EMIT) {
      put_string(fields, field.name, field.namelen);
      put_string(fields, field.value, field.valuelen);
    }
    if (flags & NGHTTP2_HD_INFLATE_FINAL) {
      nghttp2_hd_inflate_end_headers(decoder);
      return 0;
    }
    if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && count == 0) return -1;
  }
}

void *oracle_encoder_new(void) {
  nghttp2_hd_deflater *deflater = NULL;
  if (nghttp2_hd_deflate_new(&deflater, 4096) != 0) abort();
  return deflater;
}

void oracle_encoder_free(void *encoder) { nghttp2_hd_deflate_del(encoder); }

/* The string at a place, and moves on; its length. */
static size_t take_string(const uint8_t **place, const uint8_t **string) {
  const uint8_t *p = *place;
  size_t count = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
  *string = p + 4;
  *place = p + 4 + count;
  return count;
}

int oracle_encode(
  void *encoder, uint32_t table, int is_secret, const uint8_t *fields, size_t count,
  struct oracle_text *block) {
  nghttp2_nv list[MOST_FIELDS];
  size_t length = 0;
  const uint8_t *place = fields;
  while (place < fields + count && length < MOST_FIELDS) {
    const uint8_t *name, *value;
    size_t name_count = take_string(&place, &name);
    size_t value_count = take_string(&place, &value);
    list[length].name = (uint8_t *)name;
    list[length].namelen = name_count;
    list[length].value = (uint8_t *)value;
    list[length].valuelen = value_count;
    list[length].flags = is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    length += 1;
  }
  if (nghttp2_hd_deflate_change_table_size(encoder, table) != 0) return -1;
  size_t most = nghttp2_hd_deflate_bound(encoder, list, length);
  uint8_t *bytes = malloc(most + 1);
  if (!bytes) abort();
  ssize_t written = nghttp2_hd_deflate_hd(encoder, bytes, most, list, length);
  if (written > 0) put(block, bytes, (size_t)written);
  free(bytes);
  return written < 0 ? -1 : 0;
}

/* Connections */

struct peer {
  nghttp2_session *session;
  int is_refused;
  /* A server's. */
  struct oracle_text *events;
  int32_t data_stream; /* of the last event, if that was D */
  int has_cookie;
  struct oracle_text method, path, authority, fields, cookie;
  /* A client's. */
  struct oracle_text answers[MOST_STREAMS];
};

static int is(const uint8_t *name, size_t count, const char *text) {
  return count == strlen(text) && memcmp(name, text, count) == 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *data) {
  (void)session, (void)frame, (void)code;
  ((struct peer *)data)->is_refused = 1;
  return 0;
}

static int on_invalid_header(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count,
  const uint8_t *value, size_t value_count, uint8_t flags, void *data) {
  (void)session, (void)frame, (void)name, (void)name_count, (void)value, (void)value_count, (void)flags;
  ((struct peer *)data)->is_refused = 1;
  return 0;
}

static int on_send(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  (void)session;
  if (frame->hd.type == NGHTTP2_RST_STREAM || frame->hd.type == NGHTTP2_GOAWAY)
    ((struct peer *)data)->is_refused = 1;
  return 0;
}

static nghttp2_session_callbacks *common_callbacks(void) {
  nghttp2_session_callbacks *callbacks = NULL;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) abort();
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_send);
  return callbacks;
}

/* Appends what a session has to say; text may be NULL. */
static int say(struct peer *peer, struct oracle_text *text) {
  for (;;) {
    const uint8_t *bytes = NULL;
    ssize_t count = nghttp2_session_mem_send(peer->session, &bytes);
    if (count < 0) return -1;
    if (count == 0) return 0;
    if (text) put(text, bytes, (size_t)count);
  }
}

/* A server */

static void put_event(struct peer *peer, char kind, int32_t stream) {
  put(peer->events, &kind, 1);
  put_number(peer->events, (uint32_t)stream);
  peer->data_stream = 0;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  struct peer *peer = data;
  (void)session, (void)frame;
  peer->method.count = peer->path.count = peer->authority.count = 0;
  peer->fields.count = peer->cookie.count = 0;
  peer->has_cookie = 0;
  return 0;
}

static int on_field(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count,
  const uint8_t *value, size_t value_count, uint8_t flags, void *data) {
  struct peer *peer = data;
  (void)session, (void)frame, (void)flags;
  if (is(name, name_count, ":method")) {
    put(&peer->method, value, value_count);
  } else if (is(name, name_count, ":path")) {
    put(&peer->path, value, value_count);
  } else if (is(name, name_count, ":authority")) {
    put(&peer->authority, value, value_count);
  } else if (is(name, name_count, "cookie")) {
    if (peer->has_cookie) put(&peer->cookie, "; ", 2);
    peer->has_cookie = 1;
    put(&peer->cookie, value, value_count);
  } else if (name_count == 0 || name[0] != ':') {
    put_string(&peer->fields, name, name_count);
    put_string(&peer->fields, value, value_count);
  }
  return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  struct peer *peer = data;
  uint8_t ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  (void)session;
  if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    put_event(peer, 'R', frame->hd.stream_id);
    put(peer->events, &ends, 1);
    put_string(peer->events, peer->method.bytes, peer->method.count);
    put_string(peer->events, peer->path.bytes, peer->path.count);
    put_string(peer->events, peer->authority.bytes, peer->authority.count);
    put_string(peer->events, peer->fields.bytes, peer->fields.count);
    put_string(peer->events, peer->cookie.bytes, peer->cookie.count);
  } else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
    if (ends) put_event(peer, 'E', frame->hd.stream_id);
  } else if (frame->hd.type == NGHTTP2_GOAWAY) {
    put(peer->events, "G", 1);
    peer->data_stream = 0;
  }
  return 0;
}

static int on_data(
  nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t count, void *data) {
  struct peer *peer = data;
  (void)session, (void)flags;
  if (count == 0) return 0;
  if (peer->data_stream != stream) put_event(peer, 'D', stream);
  peer->data_stream = stream;
  put(peer->events, bytes, count);
  return 0;
}

/* Nothing is answered here: only the client ends a stream, or a refusal, which shows by itself. */
static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *data) {
  (void)session, (void)code;
  put_event(data, 'X', stream);
  return 0;
}

int oracle_serve(const uint8_t *bytes, size_t count, struct oracle_text *events) {
  struct peer peer;
  memset(&peer, 0, sizeof peer);
  peer.events = events;
  nghttp2_session_callbacks *callbacks = common_callbacks();
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  if (nghttp2_session_server_new(&peer.session, callbacks, &peer) != 0) abort();
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_settings_entry streams = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000};
  if (nghttp2_submit_settings(peer.session, NGHTTP2_FLAG_NONE, &streams, 1) != 0) abort();
  int is_refused = say(&peer, NULL) != 0;
  ssize_t used = nghttp2_session_mem_recv(peer.session, bytes, count);
  if (used < 0 || (size_t)used != count || say(&peer, NULL) != 0) is_refused = 1;
  is_refused |= peer.is_refused;
  struct oracle_text dropped = {0};
  peer.events = &dropped;
  nghttp2_session_del(peer.session);
  oracle_text_free(&dropped);
  oracle_text_free(&peer.method);
  oracle_text_free(&peer.path);
  oracle_text_free(&peer.authority);
  oracle_text_free(&peer.fields);
  oracle_text_free(&peer.cookie);
  return is_refused ? -1 : 0;
}

/* A client */

static struct oracle_text *answer_of(struct peer *peer, int32_t stream) {
  if (stream < 1 || stream % 2 == 0 || stream / 2 >= MOST_STREAMS) abort();
  return &peer->answers[stream / 2];
}

static int on_answer_field(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count,
  const uint8_t *value, size_t value_count, uint8_t flags, void *data) {
  struct oracle_text *answer = answer_of(data, frame->hd.stream_id);
  (void)session, (void)flags;
  if (is(name, name_count, "date") || is(name, name_count, "content-length")) return 0;
  put_string(answer, name, name_count);
  put_string(answer, value, value_count);
  return 0;
}

static int on_answer_data(
  nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t count, void *data) {
  (void)session, (void)flags;
  put(answer_of(data, stream), bytes, count);
  return 0;
}

static int on_answer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  (void)session;
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) put(answer_of(data, frame->hd.stream_id), "E", 1);
  return 0;
}

void *oracle_client_new(uint32_t table, uint32_t window, uint32_t frame) {
  struct peer *peer = calloc(1, sizeof *peer);
  if (!peer) abort();
  nghttp2_session_callbacks *callbacks = common_callbacks();
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_answer_field);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_answer_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_answer_data);
  if (nghttp2_session_client_new(&peer->session, callbacks, peer) != 0) abort();
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, table},
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
    {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frame},
    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
  };
  if (nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, settings, 4) != 0) abort();
  return peer;
}

void oracle_client_free(void *client) {
  struct peer *peer = client;
  nghttp2_session_del(peer->session);
  for (int place = 0; place < MOST_STREAMS; place++) oracle_text_free(&peer->answers[place]);
  free(peer);
}

int oracle_client_ask(void *client) {
  struct peer *peer = client;
  static const char *const texts[][2] = {
    {":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}};
  nghttp2_nv fields[4];
  for (int place = 0; place < 4; place++) {
    fields[place].name = (uint8_t *)texts[place][0];
    fields[place].namelen = strlen(texts[place][0]);
    fields[place].value = (uint8_t *)texts[place][1];
    fields[place].valuelen = strlen(texts[place][1]);
    fields[place].flags = NGHTTP2_NV_FLAG_NONE;
  }
  return nghttp2_submit_request(peer->session, NULL, fields, 4, NULL, NULL);
}

int oracle_client_say(void *client, struct oracle_text *bytes) {
  struct peer *peer = client;
  return say(peer, bytes) != 0 || peer->is_refused ? -1 : 0;
}

int oracle_client_hear(void *client, const uint8_t *bytes, size_t count) {
  struct peer *peer = client;
  ssize_t used = nghttp2_session_mem_recv(peer->session, bytes, count);
  return used < 0 || (size_t)used != count || peer->is_refused ? -1 : 0;
}

const struct oracle_text *oracle_client_answer(void *client, int32_t stream) {
  return answer_of(client, stream);
}
