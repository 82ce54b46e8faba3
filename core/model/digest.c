#include "digest.h"

#include <stdio.h>

enum { PIECE_BYTES = 1 << 15 };

static enum status add_file(struct digest *digest, const struct file *file)
{
    uint8_t piece[PIECE_BYTES];
    for (size_t at = 0, some; at < file->count; at += some) {
        some = file->count - at < PIECE_BYTES ? file->count - at : PIECE_BYTES;
        if (file_read(file, at, some, piece, &digest->error) != STATUS_OK)
            return digest->error.status;
        sha256_update(&digest->hash, some, piece);
    }
    return STATUS_OK;
}

static void *add_files(void *of)
{
    struct digest *digest = of;
    digest->error.status = STATUS_OK;
    for (size_t i = 0; i < digest->files->count; i++)
        if (add_file(digest, &digest->files->list[i]) != STATUS_OK)
            break;
    return NULL;
}

void digest_init(struct digest *digest)
{
    *digest = (struct digest){.threaded = false};
    sha256_init(&digest->hash);
}

void digest_files(struct digest *digest, const struct files *files)
{
    digest->files = files;
    digest->threaded = pthread_create(&digest->thread, NULL, add_files, digest) == 0;
    if (!digest->threaded)
        add_files(digest);
}

enum status digest_join(struct digest *digest, struct error *error)
{
    if (digest->threaded)
        pthread_join(digest->thread, NULL);
    digest->threaded = false;
    if (error->status == STATUS_OK)
        *error = digest->error;
    return error->status;
}

void digest_add(struct digest *digest, const void *bytes, size_t count)
{
    sha256_update(&digest->hash, count, bytes);
}

void digest_text(struct digest *digest, char text[DIGEST_TEXT_BYTES])
{
    uint8_t bytes[SHA256_DIGEST_SIZE];
    sha256_digest(&digest->hash, sizeof bytes, bytes);
    text += sprintf(text, "sha256:");
    for (size_t i = 0; i < sizeof bytes; i++)
        text += sprintf(text, "%02x", bytes[i]);
}
