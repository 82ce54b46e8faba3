#include "auth.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "log.h"
#include "model/file.h"

#define BLANKS " \t\r"

static const struct {
    const char *name;
    enum scope scopes;
} scope_names[] = {{"infer", SCOPE_INFER}, {"metrics", SCOPE_METRICS}, {"admin", SCOPE_ALL}};

/* A piece of text that does not end with NUL. */
struct word {
    const char *text;
    size_t length;
};

static void digest(const struct auth *auth, struct word key, uint8_t to[SHA256_DIGEST_SIZE])
{
    struct hmac_sha256_ctx hash;
    hmac_sha256_set_key(&hash, sizeof auth->secret, auth->secret);
    hmac_sha256_update(&hash, key.length, (const uint8_t *)key.text);
    hmac_sha256_digest(&hash, SHA256_DIGEST_SIZE, to);
}

/* Reading the file */

/* The next word before the end of the line; of length 0 when there is none. */
static struct word take_word(const char **at)
{
    *at += strspn(*at, BLANKS);
    struct word word = {*at, strcspn(*at, BLANKS "\n")};
    *at += word.length;
    return word;
}

static enum scope scopes_of(struct word name)
{
    for (size_t i = 0; i < sizeof scope_names / sizeof scope_names[0]; i++)
        if (strlen(scope_names[i].name) == name.length &&
            memcmp(scope_names[i].name, name.text, name.length) == 0)
            return scope_names[i].scopes;
    return SCOPE_OPEN;
}

/* Whether a header can carry the key: visible ASCII. */
static bool is_sendable(struct word key)
{
    for (size_t i = 0; i < key.length; i++)
        if (key.text[i] < '!' || key.text[i] > '~')
            return false;
    return true;
}

/* Adds the key of one line; *at is left at the line's end. Errors quote nothing: it may be a key.
 */
static enum status read_line(const struct auth *auth, struct auth_keys *keys, const char **at,
                             struct error *error)
{
    struct word scope = take_word(at), key = take_word(at), more = take_word(at);
    enum scope scopes = scopes_of(scope);
    *at += strcspn(*at, "\n");
    if (scope.length == 0 || scope.text[0] == '#')
        return STATUS_OK;
    if (key.length == 0 || more.length > 0 || scopes == SCOPE_OPEN)
        return error_set(error, STATUS_INVALID,
                         "expected \"SCOPE KEY\" with the scope infer, admin or metrics");
    if (key.length > AUTH_KEY_BYTES_MAX || !is_sendable(key))
        return error_set(error, STATUS_INVALID,
                         "expected a key of at most %d visible ASCII characters",
                         AUTH_KEY_BYTES_MAX);
    if (keys->count == AUTH_KEYS_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d keys", AUTH_KEYS_MAX);
    struct auth_key *to = &keys->list[keys->count++];
    digest(auth, key, to->digest);
    to->scopes = scopes;
    return STATUS_OK;
}

static enum status read_lines(const struct auth *auth, struct auth_keys *keys, const char *text,
                              struct error *error)
{
    for (size_t line = 1; *text; line++, text += *text == '\n')
        if (read_line(auth, keys, &text, error) != STATUS_OK)
            return error_prefix(error, "line %zu", line);
    return keys->count > 0 ? STATUS_OK
                           : error_set(error, STATUS_INVALID, "expected a key, found none");
}

/* Fills keys, which has room for all there may be; text has room for the file and a NUL. */
static enum status read_file(const struct auth *auth, struct auth_keys *keys, char *text,
                             const struct file *file, struct error *error)
{
    if (!text || !keys->list)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the keys");
    if (file_read(file, 0, file->count, text, error) != STATUS_OK)
        return error->status;
    if (memchr(text, '\0', file->count))
        return error_set(error, STATUS_INVALID, "expected text, found a NUL");
    return read_lines(auth, keys, text, error);
}

static void check_permissions(const struct auth *auth, const struct file *file)
{
    struct stat status;
    if (fstat(file->descriptor, &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)))
        log_event(LOG_WARNING, "keys are open to everybody on this machine", "path", auth->path);
}

static enum status load(const struct auth *auth, struct auth_keys *keys, struct error *error)
{
    struct file file;
    if (file_open(&file, auth->path, AUTH_FILE_BYTES_MAX, error) != STATUS_OK)
        return error->status;
    check_permissions(auth, &file);
    char *text = calloc(1, file.count + 1);
    keys->list = calloc(AUTH_KEYS_MAX, sizeof *keys->list);
    enum status status = read_file(auth, keys, text, &file, error);
    if (text)
        explicit_bzero(text, file.count);
    free(text);
    file_close(&file);
    return status;
}

enum status auth_reload(struct auth *auth, struct error *error)
{
    struct auth_keys keys = {.list = NULL};
    if (load(auth, &keys, error) != STATUS_OK) {
        free(keys.list);
        return error_prefix(error, "--api-keys %s", auth->path);
    }
    pthread_rwlock_wrlock(&auth->lock);
    struct auth_key *old = auth->keys.list;
    auth->keys = keys;
    pthread_rwlock_unlock(&auth->lock);
    free(old);
    return STATUS_OK;
}

enum status auth_open(struct auth *auth, const char *path, struct error *error)
{
    *auth = (struct auth){.path = path};
    pthread_rwlock_init(&auth->lock, NULL);
    if (!path)
        return STATUS_OK;
    if (getrandom(auth->secret, sizeof auth->secret, 0) != (ssize_t)sizeof auth->secret)
        return error_set(error, STATUS_IO, "no random bytes: %s", strerror(errno));
    return auth_reload(auth, error);
}

void auth_close(struct auth *auth)
{
    free(auth->keys.list);
    pthread_rwlock_destroy(&auth->lock);
}

/* Asking */

/* The key in "Bearer KEY", whatever it is; of length 0 when the header is something else. */
static struct word presented(const char *authorization)
{
    static const char scheme[] = "Bearer";
    const size_t length = sizeof scheme - 1;
    if (!authorization || strncasecmp(authorization, scheme, length) != 0)
        return (struct word){"", 0};
    const char *key = authorization + length;
    size_t blanks = strspn(key, BLANKS);
    return (struct word){key + blanks, blanks ? strcspn(key + blanks, BLANKS) : 0};
}

/* All bits set when two digests are the same, none otherwise; as fast either way. nettle's
 * memeql_sec goes byte by byte and takes 50 ns, which a thousand keys multiply. */
static unsigned same(const uint8_t *a, const uint8_t *b)
{
    uint64_t difference = 0;
    for (size_t i = 0; i < SHA256_DIGEST_SIZE; i += sizeof difference) {
        uint64_t of_a, of_b;
        memcpy(&of_a, a + i, sizeof of_a);
        memcpy(&of_b, b + i, sizeof of_b);
        difference |= of_a ^ of_b;
    }
    return -(unsigned)(difference == 0);
}

enum scope auth_scopes(struct auth *auth, const char *authorization)
{
    uint8_t wanted[SHA256_DIGEST_SIZE];
    unsigned scopes = SCOPE_OPEN;
    digest(auth, presented(authorization), wanted);
    pthread_rwlock_rdlock(&auth->lock);
    for (size_t i = 0; i < auth->keys.count; i++) {
        const struct auth_key *key = &auth->keys.list[i];
        scopes |= key->scopes & same(key->digest, wanted);
    }
    pthread_rwlock_unlock(&auth->lock);
    return (enum scope)scopes;
}
