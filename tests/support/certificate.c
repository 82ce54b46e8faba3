#include "certificate.h"

#include <criterion/criterion.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60 };

static void write_pem(char to[320], struct temporary *temporary, const char *name,
                      const char *ending, gnutls_datum_t *text)
{
    char file[64];
    snprintf(file, sizeof file, "%s.%s", name, ending);
    snprintf(to, 320, "%s", temporary_write(temporary, file, text->data, text->size));
    gnutls_free(text->data);
}

static void sign(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
    const unsigned char serial[] = {1}, loopback[] = {127, 0, 0, 1};
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
    gnutls_x509_crt_set_dn(certificate, "CN=relud test", NULL);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - DAY_S);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + DAY_S);
    gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, loopback,
                                         sizeof loopback, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_ca_status(certificate, 1);
    gnutls_x509_crt_set_key(certificate, key);
    cr_assert_eq(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
}

void certificate_make(struct certificate *made, struct temporary *temporary, const char *name)
{
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
    gnutls_datum_t text;
    gnutls_x509_crt_init(&certificate);
    gnutls_x509_privkey_init(&key);
    cr_assert_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                              GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                 0);
    sign(certificate, key);
    cr_assert_eq(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text), 0);
    write_pem(made->path, temporary, name, "pem", &text);
    cr_assert_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), 0);
    write_pem(made->key_path, temporary, name, "key", &text);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(certificate);
}
