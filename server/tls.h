/* tls: the server's certificate and key, and the little of a client that the health check needs.
 * Connections themselves are libmicrohttpd's. */
#ifndef RELUD_TLS_H
#define RELUD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "status.h"

/* Versions and ciphers, as GnuTLS writes them: nothing below TLS 1.2. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { TLS_FILE_BYTES_MAX = 1 << 20 };

struct tls {
    char *certificate, *key; /* owned: PEM text; NULL: connections are not encrypted */
};

/* Reads the chain of certificates and its key; both paths NULL for none. Refused unless the two
 * belong together and the key needs no password. */
enum status tls_open(struct tls *tls, const char *certificate_path, const char *key_path,
                     struct error *error);
void tls_close(struct tls *tls);

/* Whether the handshake of a GnuTLS session is done. */
bool tls_is_established(void *session);

/* As a client: sends count bytes over a connected socket and reads the first of the answer, at most
 * room. How many, or -1 with the reason in *why (static). The server's certificate is not looked
 * at. */
ssize_t tls_talk(int descriptor, const char *request, size_t count, char *answer, size_t room,
                 const char **why);

#endif
