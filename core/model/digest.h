/* digest: the SHA-256 of what a model is made of. Its files, which are large, are read once more
 * for it, by a thread of its own, while the model is made of them. */
#ifndef RELUD_DIGEST_H
#define RELUD_DIGEST_H

#include <nettle/sha2.h>
#include <pthread.h>
#include <stdbool.h>

#include "files.h"

struct digest {
    struct sha256_ctx hash;
    const struct files *files; /* borrowed, while they are being read */
    bool threaded;
    pthread_t thread;
    struct error error; /* the thread's */
};

enum { DIGEST_TEXT_BYTES = sizeof "sha256:" + 2 * SHA256_DIGEST_SIZE };

void digest_init(struct digest *digest);

/* Begins to add files, one after the other. Until digest_join() they must stay and nothing else may
 * be added. */
void digest_files(struct digest *digest, const struct files *files);

/* Waits for that to end; returns error's status. An error of the import, which came first, stays.
 */
enum status digest_join(struct digest *digest, struct error *error);

void digest_add(struct digest *digest, const void *bytes, size_t count);

/* Ends the digest, "sha256:" and 64 hexadecimal digits. */
void digest_text(struct digest *digest, char text[DIGEST_TEXT_BYTES]);

#endif
