/* libnghttp2 as the other side of HPACK and of connections, for Tests/Fuzz/FuzzOracle.swift. */
#ifndef NGHTTP2_ORACLE_H
#define NGHTTP2_ORACLE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that calls append to; begins with zeros. A string in it has its length in four bytes in front. */
struct oracle_text {
  uint8_t *bytes;
  size_t count;
  size_t room;
};
void oracle_text_free(struct oracle_text *text);

/* A decoder of field blocks. Appends two strings for each field; -1 for a block that it refuses. */
void *oracle_decoder_new(void);
void oracle_decoder_free(void *decoder);
int oracle_decode(void *decoder, const uint8_t *block, size_t count, struct oracle_text *fields);

/* An encoder of field blocks with a table of so many bytes. Takes two strings for each field. */
void *oracle_encoder_new(void);
void oracle_encoder_free(void *encoder);
int oracle_encode(
  void *encoder, uint32_t table, int is_secret, const uint8_t *fields, size_t count,
  struct oracle_text *block);

/* A server that hears all of a client's bytes. Appends what they mean, each with its stream in four bytes:
 * R, whether the request ends (a byte), and strings: method, path, authority, fields, cookies;
 * D and bytes of a body, E for the end of a request, X for a reset, G (without a stream) for GOAWAY.
 * -1 if it has refused or passed over anything. */
int oracle_serve(const uint8_t *bytes, size_t count, struct oracle_text *events);

/* A client with these settings. What stream 1, 3, 5 or 7 has got: two strings for each field, except those
 * that a server adds by itself, the bytes of its body, and E for its end. */
void *oracle_client_new(uint32_t table, uint32_t window, uint32_t frame);
void oracle_client_free(void *client);
int oracle_client_ask(void *client);
int oracle_client_say(void *client, struct oracle_text *bytes);
int oracle_client_hear(void *client, const uint8_t *bytes, size_t count);
const struct oracle_text *oracle_client_answer(void *client, int32_t stream);

#endif
