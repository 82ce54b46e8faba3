/* embedded: files that the Makefile puts into the binary (EMBEDDED), each as text that ends with
 * NUL. */
#ifndef RELUD_EMBEDDED_H
#define RELUD_EMBEDDED_H

extern const char embedded_openapi_json[];

#endif
