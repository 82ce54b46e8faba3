/* auth: who may do what: the keys of --api-keys and the scope of each.
 *
 * The file has a line "SCOPE KEY" for every key; blank lines and lines that begin with "#" mean
 * nothing, and a key in several lines has all their scopes. Of a key only its HMAC-SHA-256 under a
 * secret of this process is kept. What a client sends is compared as such a digest, with all of
 * them and in constant time, so that the time of an answer tells nothing about keys. */
#ifndef RELUD_AUTH_H
#define RELUD_AUTH_H

#include <nettle/sha2.h>
#include <pthread.h>
#include <stdint.h>

#include "status.h"

enum { AUTH_KEYS_MAX = 1024, AUTH_KEY_BYTES_MAX = 512, AUTH_FILE_BYTES_MAX = 1 << 20 };

/* A set of scopes: what a key has, or those of which a route takes any one. */
enum scope {
    SCOPE_OPEN = 0, /* a route's: no key is needed */
    SCOPE_INFER = 1,
    SCOPE_METRICS = 2,
    SCOPE_READ = SCOPE_INFER | SCOPE_METRICS,
    SCOPE_ADMIN = 4,
    SCOPE_ALL = SCOPE_READ | SCOPE_ADMIN, /* what a key of scope admin has */
};

struct auth_key {
    uint8_t digest[SHA256_DIGEST_SIZE];
    enum scope scopes;
};

struct auth_keys {
    struct auth_key *list; /* owned */
    size_t count;
};

struct auth {
    const char *path; /* borrowed; NULL: no keys, everybody may do everything */
    uint8_t secret[SHA256_DIGEST_SIZE];
    pthread_rwlock_t lock;
    struct auth_keys keys; /* under lock */
};

/* Reads the keys in the file at path, NULL for none. The error names the line, never a key. */
enum status auth_open(struct auth *auth, const char *path, struct error *error);
void auth_close(struct auth *auth);

/* Thread-safe: reads the file again; on failure the keys stay as they are. */
enum status auth_reload(struct auth *auth, struct error *error);

/* Thread-safe: the scopes of who sends that Authorization header (NULL: none); 0 for a stranger. */
enum scope auth_scopes(struct auth *auth, const char *authorization);

#endif
