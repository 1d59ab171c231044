/* SPDX-License-Identifier: Apache-2.0
 *
 * The TLS settings of this machine's ldap.conf. libldap reads it once in the life of a process, into global options
 * that every other module of the process may change (mod_ldap sets its certificate authorities there, and they stay
 * when its configuration goes). So the options are copied before another module can change them, for the life of the
 * process.
 */
#include "ldap_private.h"

#include <apr_strings.h>

/* TLS_CACERT and TLS_CACERTDIR come first: they are for directories without an authority of their own. */
static const int texts[] = {LDAP_OPT_X_TLS_CACERTFILE, LDAP_OPT_X_TLS_CACERTDIR, LDAP_OPT_X_TLS_CIPHER_SUITE,
                            LDAP_OPT_X_TLS_CRLFILE /* GnuTLS */};
#define AUTHORITIES 2
#define TEXTS ((int)(sizeof(texts) / sizeof(*texts)))

/* Settings that a new handle inherits from the global options are set as well, because the global ones may have
 * changed. */
static const int numbers[] = {
    LDAP_OPT_X_TLS_PROTOCOL_MIN,
#ifdef LDAP_OPT_X_TLS_PROTOCOL_MAX
    LDAP_OPT_X_TLS_PROTOCOL_MAX,
#endif
#ifdef LDAP_OPT_X_TLS_REQUIRE_SAN
    LDAP_OPT_X_TLS_REQUIRE_SAN,
#endif
    LDAP_OPT_X_TLS_CRLCHECK /* OpenSSL: libldap with another library does not know it */
};
#define NUMBERS ((int)(sizeof(numbers) / sizeof(*numbers)))

typedef struct as_tls_defaults {
    const char *text[TEXTS]; /* NULL: not set */
    int number[NUMBERS];
    bool known[NUMBERS];
} as_tls_defaults;

static as_tls_defaults defaults;
static bool kept_for_life;

/* Found again by a module that is loaded anew. A change of the struct needs another key. */
#define KEY "mod_authstatus TLS of ldap.conf 1"

static void read_options(as_tls_defaults *into, apr_pool_t *pool)
{
    char *value;
    int i;

    for (i = 0; i < TEXTS; i++) {
        value = NULL;
        if (ldap_get_option(NULL, texts[i], &value) == LDAP_OPT_SUCCESS && value) {
            into->text[i] = apr_pstrdup(pool, value);
            ldap_memfree(value);
        }
    }
    for (i = 0; i < NUMBERS; i++) {
        into->known[i] = ldap_get_option(NULL, numbers[i], &into->number[i]) == LDAP_OPT_SUCCESS;
    }
}

void as_directories_keep_defaults(apr_pool_t *lasting)
{
    void *kept = NULL;

    /* Each time: after an upgrade, a restart may load another libldap beside the one that stays. */
    as_libldap_initialize();
    apr_pool_userdata_get(&kept, KEY, lasting);
    if (!kept) {
        kept = apr_pcalloc(lasting, sizeof(as_tls_defaults));
        read_options(kept, lasting);
        apr_pool_userdata_set(kept, KEY, NULL, lasting);
    }
    defaults = *(as_tls_defaults *)kept;
    kept_for_life = true;
}

void as_tls_find_defaults(apr_pool_t *pool)
{
    if (!kept_for_life) {
        as_libldap_initialize();
        read_options(&defaults, pool);
    }
}

const char *as_tls_get_default_file(int option)
{
    int i;

    for (i = 0; i < TEXTS; i++) {
        if (texts[i] == option) {
            return defaults.text[i];
        }
    }
    return NULL;
}

int as_tls_get_default_number(int option)
{
    int i;

    for (i = 0; i < NUMBERS; i++) {
        if (numbers[i] == option && defaults.known[i]) {
            return defaults.number[i];
        }
    }
    return -1;
}

static bool set_texts(LDAP *ld, int from, int to)
{
    int i;

    for (i = from; i < to; i++) {
        if (defaults.text[i] && ldap_set_option(ld, texts[i], defaults.text[i]) != LDAP_OPT_SUCCESS) {
            return false;
        }
    }
    return true;
}

bool as_tls_set_default_authorities(LDAP *ld)
{
    return set_texts(ld, 0, AUTHORITIES);
}

bool as_tls_set_default_files(LDAP *ld)
{
    return set_texts(ld, AUTHORITIES, TEXTS);
}

bool as_tls_set_default_numbers(LDAP *ld)
{
    int i;

    for (i = 0; i < NUMBERS; i++) {
        if (defaults.known[i] && ldap_set_option(ld, numbers[i], &defaults.number[i]) != LDAP_OPT_SUCCESS) {
            return false;
        }
    }
    return true;
}
