/* encode: bodies as a client may transfer them. The caller frees what is returned. */
#ifndef RELUD_TEST_ENCODE_H
#define RELUD_TEST_ENCODE_H

#include <stddef.h>

/* bytes as a gzip or a zlib stream ("deflate"). */
enum encoding { ENCODE_GZIP, ENCODE_DEFLATE };
void *encode(enum encoding encoding, const void *bytes, size_t count, size_t *encoded_count);

/* bytes in chunks of that many (the last one shorter), for Transfer-Encoding: chunked. */
char *encode_chunks(const void *bytes, size_t count, size_t piece, size_t *encoded_count);

#endif
