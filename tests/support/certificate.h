/* certificate: a key and a certificate for 127.0.0.1 that signs itself, made anew for a test. */
#ifndef RELUD_TESTS_CERTIFICATE_H
#define RELUD_TESTS_CERTIFICATE_H

#include "temporary.h"

struct certificate {
    char path[320], key_path[320];
};

/* Writes NAME.pem and NAME.key into the directory. */
void certificate_make(struct certificate *certificate, struct temporary *temporary,
                      const char *name);

#endif
