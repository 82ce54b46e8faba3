/* embedded: files that the Makefile puts into the binary (EMBEDDED), each as text that ends with
 * NUL, and with the SHA-256 of its bytes in hexadecimal. */
#ifndef RELUD_EMBEDDED_H
#define RELUD_EMBEDDED_H

extern const char embedded_openapi_json[];

/* The page's files, each with its digest. */
#define WEB(name, symbol, type) extern const char embedded_##symbol[], embedded_##symbol##_digest[];
#include "web.def"
#undef WEB

#endif
