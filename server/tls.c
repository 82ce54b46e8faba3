#include "tls.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "model/file.h"

/* The text of a file, NUL-terminated and owned by the caller. */
static enum status read_text(char **text, const char *option, const char *path, struct error *error)
{
    struct file file;
    if (file_open(&file, path, TLS_FILE_BYTES_MAX, error) != STATUS_OK)
        return error_prefix(error, "%s %s", option, path);
    *text = calloc(1, file.count + 1);
    enum status status = *text ? file_read(&file, 0, file.count, *text, error)
                               : error_set(error, STATUS_OUT_OF_MEMORY, "no memory left");
    file_close(&file);
    return status == STATUS_OK ? status : error_prefix(error, "%s %s", option, path);
}

static gnutls_datum_t datum(char *text)
{
    return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

/* Whether GnuTLS takes them: libmicrohttpd would not say what is wrong. */
static enum status check(const struct tls *tls, struct error *error)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t certificate = datum(tls->certificate), key = datum(tls->key);
    int result = gnutls_certificate_allocate_credentials(&credentials);
    if (result == GNUTLS_E_SUCCESS) {
        result = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key,
                                                     GNUTLS_X509_FMT_PEM);
        gnutls_certificate_free_credentials(credentials);
    }
    if (result >= GNUTLS_E_SUCCESS)
        return STATUS_OK;
    return error_set(
        error, STATUS_INVALID,
        "--tls-cert, --tls-key: expected a certificate and its key in PEM (GnuTLS: %s)",
        gnutls_strerror(result));
}

enum status tls_open(struct tls *tls, const char *certificate_path, const char *key_path,
                     struct error *error)
{
    *tls = (struct tls){.certificate = NULL};
    if (!certificate_path && !key_path)
        return STATUS_OK;
    if (!certificate_path || !key_path)
        return error_set(error, STATUS_INVALID, "--tls-cert and --tls-key: expected both");
    if (read_text(&tls->certificate, "--tls-cert", certificate_path, error) != STATUS_OK ||
        read_text(&tls->key, "--tls-key", key_path, error) != STATUS_OK)
        return error->status;
    return check(tls, error);
}

void tls_close(struct tls *tls)
{
    if (tls->key)
        explicit_bzero(tls->key, strlen(tls->key));
    free(tls->key);
    free(tls->certificate);
}

/* GnuTLS tells of a session what it negotiated, once it has. */
bool tls_is_established(void *session)
{
    char *negotiated = gnutls_session_get_desc(session);
    const bool established = negotiated != NULL;
    gnutls_free(negotiated);
    return established;
}

/* The client */

static int shake_hands(gnutls_session_t session)
{
    int result;
    do
        result = gnutls_handshake(session);
    while (result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_WARNING_ALERT_RECEIVED);
    return result;
}

static ssize_t converse(gnutls_session_t session, gnutls_certificate_credentials_t credentials,
                        int descriptor, const char *request, size_t count, char *answer,
                        size_t room)
{
    gnutls_priority_set_direct(session, TLS_PRIORITIES, NULL);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, descriptor);
    ssize_t result = shake_hands(session);
    if (result == GNUTLS_E_SUCCESS)
        result = gnutls_record_send(session, request, count);
    if (result >= 0)
        do
            result = gnutls_record_recv(session, answer, room);
        while (result == GNUTLS_E_INTERRUPTED);
    return result;
}

ssize_t tls_talk(int descriptor, const char *request, size_t count, char *answer, size_t room,
                 const char **why)
{
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    ssize_t result = gnutls_certificate_allocate_credentials(&credentials);
    if (result == GNUTLS_E_SUCCESS) {
        result = gnutls_init(&session, GNUTLS_CLIENT);
        if (result == GNUTLS_E_SUCCESS) {
            result = converse(session, credentials, descriptor, request, count, answer, room);
            gnutls_deinit(session);
        }
        gnutls_certificate_free_credentials(credentials);
    }
    if (result >= 0)
        return result;
    *why = gnutls_strerror((int)result);
    return -1;
}
